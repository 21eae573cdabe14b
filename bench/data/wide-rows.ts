import { insertRows, scaled, type DataSet } from './data-set.ts';
import { randomSql } from './random-sql.ts';

const COLUMNS = 240;
const SHEETS_PER_GB = 300_000;
const DOCUMENTS_PER_GB = 5_000;
/** Repetitions of 40 words, about 260 bytes, in one document. */
const PARAGRAPHS = 400;

export const wideRows: DataSet = {
  name: 'wide-rows',
  about: 'Half in rows of 240 columns, half in documents of 100 KB each (text, in TOAST).',
  make(gb, seed) {
    const { number, words, word } = randomSql(seed);
    const kinds = ['integer', 'text', 'numeric(8, 2)'];
    const values = [number('i + C'), word('i + C'), number('i + C')].map((value, kind) =>
      kind === 1 ? value : kind === 0 ? `${value} % 100000` : `${value} % 1000000 / 100.0`,
    );
    const columns = Array.from({ length: COLUMNS }, (_, at) => at);
    return {
      schema: [
        `CREATE TABLE sheets (id bigint NOT NULL, ${columns.map((at) => `c${at} ${kinds[at % 3]!}`).join(', ')})`,
        'CREATE TABLE documents (id bigint NOT NULL, body text NOT NULL)',
      ],
      rows: [
        ...insertRows(
          'sheets',
          scaled(SHEETS_PER_GB, gb),
          `SELECT i, ${columns.map((at) => values[at % 3]!.replaceAll('C', String(at))).join(', ')}`,
        ),
        ...insertRows(
          'documents',
          scaled(DOCUMENTS_PER_GB, gb),
          `SELECT i, (SELECT string_agg(${words(`i * 1000 + p`, 40)}, E'\\n') FROM generate_series(1, ${PARAGRAPHS}) p)`,
        ),
      ],
      indexes: ['ALTER TABLE sheets ADD PRIMARY KEY (id)', 'ALTER TABLE documents ADD PRIMARY KEY (id)'],
    };
  },
};
