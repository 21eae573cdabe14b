import { readFile } from 'node:fs/promises';

import { libpqEnvironment, quoteIdentifier, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../../src/postgres/programs.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';

export interface ShopServer {
  readonly server: ThrowAwayServer;
  readonly programs: ClientPrograms;
  /** To the database `shop` of shop.sql. */
  readonly shop: ConnectionOptions;
  query(database: string, sql: string): Promise<Record<string, unknown>[]>;
  databases(): Promise<string[]>;
  /**
   * `pg_dump` of a database, with what differs from one to the next left out and the rows of each COPY sorted. The rows of `keyed` stand
   * at its end: which partition an enum value hashes to differs from one database to the next.
   */
  dumpOf(database: string): Promise<string>;
}

const MAJOR = 15;

/** A private server of one version with the database of shop.sql. */
export async function startShopServer(settings: Record<string, string> = {}): Promise<ShopServer> {
  const programs = await findPrograms({ serverMajor: MAJOR, server: true });
  const server = await startThrowAwayServer({ binDirectory: programs.directory, settings });
  const at = (database: string): ConnectionOptions => ({ ...server.connection, database });
  const query = async (database: string, sql: string): Promise<Record<string, unknown>[]> => {
    return await withClient(at(database), async (client) => (await client.query<Record<string, unknown>>(sql)).rows);
  };
  await query('postgres', `CREATE DATABASE shop`);
  await query('shop', await readFile(new URL('./shop.sql', import.meta.url), 'utf8'));
  return {
    server,
    programs,
    shop: at('shop'),
    query,
    databases: async () =>
      (await query('postgres', 'SELECT datname AS name FROM pg_database ORDER BY 1')).map(({ name }) => String(name)),
    dumpOf: async (database) => await normalDump(programs, at(database)),
  };
}

export async function dropDatabases(
  server: ShopServer,
  keep: readonly string[] = ['postgres', 'template0', 'template1', 'shop'],
): Promise<void> {
  for (const name of await server.databases()) {
    if (!keep.includes(name)) await server.query('postgres', `DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`);
  }
}

async function normalDump(programs: ClientPrograms, connection: ConnectionOptions): Promise<string> {
  const parts: Buffer[] = [];
  await runProgram(programs.path('pg_dump'), ['--exclude-table-data=keyed_*'], {
    env: libpqEnvironment(connection),
    stdout: (chunk) => void parts.push(chunk),
  });
  const blocks: string[][] = [[]];
  for (const line of Buffer.concat(parts).toString('utf8').split('\n')) {
    const block = blocks.at(-1)!;
    if (line.startsWith('COPY ')) blocks.push([line], []);
    else if (line === '\\.') blocks.push([line], []);
    else block.push(line.replace(/^(\\(?:un)?restrict) .*/, '$1'));
  }
  const keyed = await withClient(connection, async (client) => {
    const { rows } = await client.query<{ exists: boolean }>(`SELECT to_regclass('keyed') IS NOT NULL AS exists`);
    return rows[0]?.exists ? (await client.query('SELECT * FROM keyed ORDER BY n')).rows : [];
  });
  blocks.push([JSON.stringify(keyed)]);
  return blocks.flatMap((block, at) => (blocks[at - 1]?.[0]?.startsWith('COPY ') ? block.sort() : block)).join('\n');
}
