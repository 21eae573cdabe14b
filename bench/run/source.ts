import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DataSet } from '../data/data-set.ts';
import { libpqEnvironment, quoteIdentifier, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import type { ClientPrograms } from '../../src/postgres/programs.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';

export const DATABASE = 'bench';
export const RESTORED = 'bench_restored';

/** The private server with the database that is dumped. */
export interface Source {
  readonly server: ThrowAwayServer;
  readonly programs: ClientPrograms;
  /** The first process of the server. */
  readonly postmaster: number;
  at(database: string): ConnectionOptions;
}

/** What a data set turned out to be. */
export interface Facts {
  readonly tables: number;
  readonly rows: number;
  readonly scriptBytes: number;
}

const SETTINGS = {
  shared_buffers: '512MB',
  maintenance_work_mem: '256MB',
  // 5,000 tables with their indexes, locked by one transaction.
  max_locks_per_transaction: '512',
};

export async function startSource(programs: ClientPrograms, parentFolder: string, signal: AbortSignal): Promise<Source> {
  const server = await startThrowAwayServer({
    binDirectory: programs.directory,
    parentFolder,
    user: 'bench',
    settings: SETTINGS,
    signal,
  });
  const [postmaster] = (await readFile(join(server.dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
  return { server, programs, postmaster: Number(postmaster), at: (database) => ({ ...server.connection, database }) };
}

/** Fills a new database with a data set, and reads all of it once: files are in the page cache from here on. */
export async function fill(source: Source, data: DataSet, gb: number, seed: number, signal: AbortSignal): Promise<Facts> {
  await execute(source, 'postgres', [`CREATE DATABASE ${DATABASE}`]);
  const { schema, rows, indexes } = data.make(gb, seed);
  await execute(source, DATABASE, schema);
  await inParallel(source, rows, signal);
  await inParallel(source, indexes, signal);
  await execute(source, DATABASE, ['VACUUM (ANALYZE)', 'CHECKPOINT']);
  const counts = await countRows(source, DATABASE);
  let scriptBytes = 0;
  await runProgram(source.programs.path('pg_dump'), [], {
    env: libpqEnvironment(source.at(DATABASE)),
    stdout: (chunk) => void (scriptBytes += chunk.length),
    signal,
  });
  return { tables: counts.size, rows: [...counts.values()].reduce((sum, each) => sum + each, 0), scriptBytes };
}

export async function drop(source: Source, database: string): Promise<void> {
  await execute(source, 'postgres', [`DROP DATABASE IF EXISTS ${quoteIdentifier(database)} WITH (FORCE)`, 'CHECKPOINT']);
}

export async function execute(source: Source, database: string, statements: readonly string[]): Promise<void> {
  await withClient(source.at(database), async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** A round trip for each table would be most of the time for 5,000 of them. */
const COUNTED_AT_ONCE = 500;

/** Rows of each table, to see that a restore brought them all. */
export async function countRows(source: Source, database: string): Promise<Map<string, number>> {
  return await withClient(source.at(database), async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1`,
    );
    const counts = new Map<string, number>();
    for (let at = 0; at < tables.length; at += COUNTED_AT_ONCE) {
      const parts = tables
        .slice(at, at + COUNTED_AT_ONCE)
        .map(({ name }) => `SELECT '${name}' AS name, count(*)::float8 AS rows FROM ${name}`);
      const { rows } = await client.query<{ name: string; rows: number }>(parts.join(' UNION ALL '));
      for (const row of rows) counts.set(row.name, row.rows);
    }
    return counts;
  });
}

async function inParallel(source: Source, statements: readonly string[], signal: AbortSignal): Promise<void> {
  const waiting = [...statements];
  const work = async (): Promise<void> => {
    await withClient(source.at(DATABASE), async (client) => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        signal.throwIfAborted();
        await client.query(next);
      }
    });
  };
  await Promise.all([work(), work()]);
}
