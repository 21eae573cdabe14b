import { accessSync, constants, copyFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import {
  libpqEnvironment,
  quoteIdentifier,
  quoteLiteral,
  withClient,
  type ConnectionOptions,
} from '../../../src/postgres/connection.ts';
import { runProgram } from '../../../src/postgres/run-program.ts';

const FOLDER = import.meta.dirname;

/** What every version has, in the order of loading. */
const FILES = ['names', 'values', 'tables', 'code', 'extensions', 'large-objects'];
/** What came with a version. */
const SINCE = [14, 15, 17, 18];
const LAST_FILES = ['privileges', 'comments', 'event-triggers'];

export interface TortureOptions {
  /** Scale of the pgbench tables in schema public; none by default. */
  readonly pgbenchScale?: number;
  /** Whether database and role get settings that change how values are read and written; true by default. */
  readonly settings?: boolean;
}

export interface TortureDatabase {
  readonly connection: ConnectionOptions;
  /** Parts that this server cannot have, each with the reason. */
  readonly left: readonly string[];
}

/**
 * Makes a database that holds one of everything that is hard to dump and restore. `server` is a superuser's connection to any
 * database of a throw-away server, `binDirectory` has the programs of its version.
 */
export async function loadTorture(
  server: ConnectionOptions,
  binDirectory: string,
  databaseName: string,
  options: TortureOptions = {},
): Promise<TortureDatabase> {
  const connection = { ...server, database: databaseName };
  const major = await withClient(server, async (client) => {
    await client.query(`CREATE DATABASE ${quoteIdentifier(databaseName)} TEMPLATE template0`);
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    return Math.floor(Number(rows[0]!.server_version_num) / 10_000);
  });
  const left: string[] = [];
  const files = [...FILES, ...SINCE.filter((since) => major >= since).map((since) => `since-${since}`)];
  const refusal = installExtension(binDirectory, major);
  if (refusal === undefined) files.push('extension-config');
  else left.push(refusal);

  await runSqlFile(server, binDirectory, join(FOLDER, 'roles.sql'));
  for (const file of files) await runSqlFile(connection, binDirectory, join(FOLDER, `${file}.sql`));
  if (options.pgbenchScale !== undefined) await initializePgbench(connection, binDirectory, major, options.pgbenchScale);
  for (const file of LAST_FILES) await runSqlFile(connection, binDirectory, join(FOLDER, `${file}.sql`));
  if (options.settings !== false) await applySettings(server, databaseName, major);
  return { connection, left };
}

/** Runs a script with psql up to its first error, unimpressed by settings of database and role. */
export async function runSqlFile(connection: ConnectionOptions, binDirectory: string, file: string): Promise<void> {
  await runProgram(join(binDirectory, 'psql'), ['-Xqb', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', file], {
    env: {
      ...libpqEnvironment(connection),
      PGCLIENTENCODING: 'UTF8',
      PGOPTIONS: '-c client_min_messages=error -c statement_timeout=0',
    },
  });
}

/** An environment in which a program of PostgreSQL may write and take its time, whatever {@link applySettings} has set. */
export function writingEnvironment(connection: ConnectionOptions, major: number): Record<string, string> {
  const settings = {
    default_transaction_read_only: 'off',
    default_transaction_isolation: 'read\\ committed',
    search_path: 'public',
    statement_timeout: '0',
    idle_in_transaction_session_timeout: '0',
    ...(major >= 17 && { transaction_timeout: '0' }),
  };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  return { ...libpqEnvironment(connection), PGOPTIONS: options.join(' ') };
}

async function initializePgbench(
  connection: ConnectionOptions,
  binDirectory: string,
  major: number,
  scale: number,
): Promise<void> {
  await runProgram(join(binDirectory, 'pgbench'), ['-i', '-q', '-s', String(scale)], {
    env: writingEnvironment(connection, major),
  });
}

/**
 * PostgreSQL's own packages have no extension with configuration tables, so the server gets one of ours; only a server that was
 * unpacked for the tests, never the system's. Returns why not.
 */
function installExtension(binDirectory: string, major: number): string | undefined {
  const folder = resolve(binDirectory, `../../../../share/postgresql/${major}/extension`);
  if (folder.startsWith('/usr/')) return `extension configuration tables: ${folder} belongs to the system`;
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return `extension configuration tables: ${folder} may not be written`;
  }
  for (const file of readdirSync(join(FOLDER, 'extension'))) copyFileSync(join(FOLDER, 'extension', file), join(folder, file));
  return undefined;
}

/** Settings, privileges and a comment of the database itself: each of the settings has made somebody's dump wrong, slow or impossible. */
async function applySettings(server: ConnectionOptions, databaseName: string, major: number): Promise<void> {
  const database = quoteIdentifier(databaseName);
  const settings: Record<string, string> = {
    bytea_output: 'escape',
    DateStyle: 'SQL, DMY',
    IntervalStyle: 'sql_standard',
    TimeZone: 'Asia/Kathmandu',
    extra_float_digits: '-15',
    xmloption: 'document',
    standard_conforming_strings: 'off',
    array_nulls: 'off',
    quote_all_identifiers: 'on',
    client_encoding: 'LATIN1',
    default_transaction_read_only: 'on',
    default_transaction_isolation: 'serializable',
    statement_timeout: '1500ms',
    idle_in_transaction_session_timeout: '300ms',
    ...(major >= 14 && { default_toast_compression: 'lz4' }),
    ...(major >= 17 && { transaction_timeout: '1500ms' }),
  };
  await withClient(server, async (client) => {
    for (const [name, value] of Object.entries(settings)) {
      await client.query(`ALTER DATABASE ${database} SET ${quoteIdentifier(name)} TO ${quoteLiteral(value)}`);
    }
    await client.query(`ALTER DATABASE ${database} SET search_path TO "Mixed Case", 'quo"te', code, "$user"`);
    const role = quoteIdentifier(server.user);
    await client.query(`ALTER ROLE ${role} IN DATABASE ${database} SET search_path TO vals, "new\nline"`);
    await client.query(`ALTER ROLE ${role} IN DATABASE ${database} SET IntervalStyle TO iso_8601`);
    await client.query(`ALTER ROLE torture_reader IN DATABASE ${database} SET work_mem TO '7MB'`);
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await client.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO torture_reader WITH GRANT OPTION`);
    await client.query(`COMMENT ON DATABASE ${database} IS 'it''s\n\\. the worst'`);
    await client.query(`ALTER DATABASE ${database} OWNER TO "Torture ""Writer"""`);
  });
}
