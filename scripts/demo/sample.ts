import { withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';

const CUSTOMERS = 60_000;
const ORDERS = 500_000;
const EVENTS = 900_000;

const STATEMENTS = [
  `CREATE TYPE order_state AS ENUM ('new', 'paid', 'sent', 'returned')`,
  `CREATE TABLE customers (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     name text NOT NULL, email text NOT NULL UNIQUE, country char(2) NOT NULL, joined date NOT NULL)`,
  `CREATE TABLE orders (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     customer_id bigint NOT NULL, state order_state NOT NULL DEFAULT 'new',
     placed timestamptz NOT NULL, total numeric(10, 2) NOT NULL CHECK (total >= 0), note text)`,
  `CREATE TABLE events (at timestamptz NOT NULL, kind text NOT NULL, customer_id bigint, details jsonb NOT NULL)
     PARTITION BY RANGE (at)`,
  `CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
  `CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
  `INSERT INTO customers (name, email, country, joined)
     SELECT initcap(substr(md5(i::text), 1, 7)) || ' ' || initcap(substr(md5((i * 7)::text), 1, 9)), 'customer' || i || '@example.org',
            (ARRAY['AT', 'BR', 'DE', 'FR', 'IN', 'JP', 'US'])[1 + i % 7], date '2015-01-01' + i % 4000
       FROM generate_series(1, ${CUSTOMERS}) i`,
  `INSERT INTO orders (customer_id, state, placed, total, note)
     SELECT 1 + (i * 7919::bigint) % ${CUSTOMERS}, (enum_range(NULL::order_state))[1 + i % 4],
            timestamptz '2025-01-01' + i * interval '1 minute', (i * 37::bigint % 100000) / 100.0,
            CASE WHEN i % 3 = 0 THEN 'leave it with the neighbour, door code ' || substr(md5(i::text), 1, 12) END
       FROM generate_series(1, ${ORDERS}) i`,
  `INSERT INTO events
     SELECT timestamptz '2025-01-01' + i * interval '60 seconds', (ARRAY['view', 'search', 'basket', 'pay'])[1 + i % 4],
            1 + (i * 104729::bigint) % ${CUSTOMERS},
            jsonb_build_object('session', md5((i / 8)::text), 'path', '/products/' || i % 5000, 'ms', i % 900)
       FROM generate_series(1, ${EVENTS}) i`,
  // One pass over both tables; checked row by row while they are filled it takes ten times as long.
  `ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers`,
  `CREATE INDEX orders_by_customer ON orders (customer_id)`,
  `CREATE INDEX events_by_customer ON events (customer_id)`,
  `CREATE MATERIALIZED VIEW sales AS SELECT date_trunc('month', placed) AS month, sum(total) FROM orders GROUP BY 1`,
  `SELECT lo_from_bytea(0, decode(repeat('c0ffee', 10000), 'hex'))`,
  `ANALYZE`,
];

/** The tables that are counted in the end. */
export const SAMPLE_TABLES = ['customers', 'orders', 'events', 'sales'] as const;

/** Makes the database `shop`, some 200 MB with its indexes, and returns the connection to it. */
export async function makeSample(server: ConnectionOptions, signal: AbortSignal): Promise<ConnectionOptions> {
  await withClient(server, (client) => client.query('CREATE DATABASE shop'));
  const shop = { ...server, database: 'shop' };
  await withClient(shop, async (client) => {
    for (const statement of STATEMENTS) {
      signal.throwIfAborted();
      await client.query(statement);
    }
  });
  return shop;
}

/** Rows of each sample table. */
export async function countRows(connection: ConnectionOptions): Promise<number[]> {
  return await withClient(connection, async (client) => {
    const counts: number[] = [];
    for (const table of SAMPLE_TABLES) {
      const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${table}`);
      counts.push(Number(rows[0]!.count));
    }
    return counts;
  });
}

/** Bytes of the database on disk. */
export async function databaseSize(connection: ConnectionOptions): Promise<number> {
  return await withClient(connection, async (client) => {
    const { rows } = await client.query<{ size: string }>('SELECT pg_database_size(current_database()) AS size');
    return Number(rows[0]!.size);
  });
}
