import { readFile } from 'node:fs/promises';
import type { ShopServer } from './shop-server.ts';

/**
 * Database `nested`: partitions of partitions of partitions with so many indexes that joining two of them side by side deadlocks. The server
 * logs from now on which session joins an index.
 */
export async function createNested(server: ShopServer): Promise<void> {
  await server.query('postgres', `ALTER SYSTEM SET log_line_prefix = '%p '`);
  await server.query('postgres', `ALTER SYSTEM SET log_statement = 'ddl'`);
  await server.query('postgres', 'SELECT pg_reload_conf()');
  await server.query('postgres', 'CREATE DATABASE nested');
  await server.query(
    'nested',
    `CREATE TABLE a (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
     CREATE TABLE z PARTITION OF a DEFAULT PARTITION BY RANGE (id);
     CREATE TABLE y PARTITION OF z DEFAULT PARTITION BY RANGE (id);
     CREATE TABLE b PARTITION OF y DEFAULT;
     CREATE TABLE refers (id int REFERENCES a);
     DO $$ BEGIN FOR i IN 1 .. 60 LOOP EXECUTE format('CREATE INDEX a_%s ON a (v, (id + %s))', i, i); END LOOP; END $$;
     COMMENT ON INDEX a_1 IS 'the first';
     INSERT INTO a SELECT i, 'v' FROM generate_series(1, 100) i;
     INSERT INTO refers VALUES (1)`,
  );
}

/** For each index that was joined to one above it, the session that did it. */
export async function joiningSessions({ server }: ShopServer): Promise<readonly string[]> {
  const log = await readFile(server.logFile, 'utf8');
  return [...log.matchAll(/^(\d+) LOG: {2}statement: ALTER INDEX .* ATTACH PARTITION /gm)].map(([, session]) => session!);
}
