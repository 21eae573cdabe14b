import { insertRows, scaled, type DataSet } from './data-set.ts';
import { randomSql } from './random-sql.ts';

const ROWS_PER_GB = 12_800_000;

export const oneTable: DataSet = {
  name: 'one-table',
  about: 'One huge table of measurements: nothing to do side by side for who works table by table.',
  make(gb, seed) {
    const { number, word, time } = randomSql(seed);
    return {
      schema: [
        `CREATE TABLE readings (id bigint NOT NULL, device integer NOT NULL, taken timestamptz NOT NULL,
           value double precision NOT NULL, quality smallint, place text NOT NULL)`,
      ],
      rows: insertRows(
        'readings',
        scaled(ROWS_PER_GB, gb),
        `SELECT i, ${number('i')} % 5000, ${time('i')}, ${number('i + 1')} % 100000000 / 7.0, nullif(i % 5, 0),
           ${word('i')} || '-' || ${number('i + 2')} % 1000`,
      ),
      indexes: ['ALTER TABLE readings ADD PRIMARY KEY (id)', 'CREATE INDEX ON readings (device, taken)'],
    };
  },
};
