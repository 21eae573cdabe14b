import { insertRows, scaled, type DataSet } from './data-set.ts';

/** `pgbench -i` makes 100,000 accounts for each unit of its scale, about 9.7 MB of SQL. */
const ACCOUNTS = 100_000;
const SCALE_PER_GB = 103;

/** The tables and rows that `pgbench -i` makes, by SQL of our own: not every package of PostgreSQL brings the program. */
export const pgbench: DataSet = {
  name: 'pgbench',
  about: 'The tables of `pgbench -i`: short rows of integers with a filler of spaces, which compress extremely well.',
  make(gb) {
    const scale = scaled(SCALE_PER_GB, gb);
    // Below scale 10 the accounts would not get fewer.
    const accounts = Math.round(Math.max(1, gb * SCALE_PER_GB) * ACCOUNTS);
    return {
      schema: [
        'CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))',
        'CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84)) WITH (fillfactor = 100)',
        'CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84)) WITH (fillfactor = 100)',
        'CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88)) WITH (fillfactor = 100)',
      ],
      rows: [
        `INSERT INTO pgbench_branches SELECT bid, 0, NULL FROM generate_series(1, ${scale}) bid`,
        `INSERT INTO pgbench_tellers SELECT tid, (tid - 1) / 10 + 1, 0, NULL FROM generate_series(1, ${scale * 10}) tid`,
        ...insertRows('pgbench_accounts', accounts, `SELECT i, (i - 1) / ${ACCOUNTS} + 1, 0, ''`),
      ],
      indexes: [
        'ALTER TABLE pgbench_branches ADD PRIMARY KEY (bid)',
        'ALTER TABLE pgbench_tellers ADD PRIMARY KEY (tid)',
        'ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid)',
      ],
    };
  },
};
