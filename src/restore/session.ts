import type { Client } from 'pg';
import { connect, libpqEnvironment, withClient, type ConnectionOptions } from '../postgres/connection.ts';

/**
 * What the sessions of a restore have set, whatever the database or the role says. Commits need not reach the disk one by
 * one: the restore ends with one that waits for all before it.
 */
const SETTINGS = {
  synchronous_commit: 'off',
  default_transaction_read_only: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  lc_monetary: 'C',
  // Off, an array's NULL would be read as the text "NULL".
  array_nulls: 'on',
  // On, it would rewrite the definitions of views and functions.
  transform_null_equals: 'off',
  // The server keeps some definitions as text with the quotes it would write.
  quote_all_identifiers: 'off',
};

/** As the rows were written; see docs/backup-format.md. */
const ROW_SETTINGS = {
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  search_path: '',
  xmloption: 'content',
  row_security: 'off',
  check_function_bodies: 'off',
  client_min_messages: 'warning',
};

/** A connection that COPYs rows into the database. The caller ends it. */
export async function openLoader(connection: ConnectionOptions, applicationName = 'db-backup restore'): Promise<Client> {
  const client = await connect(connection, { applicationName, sessionSettings: { ...SETTINGS, ...ROW_SETTINGS } });
  // PostgreSQL 17 and later know it; psql and pg_restore of those versions set it themselves.
  await client.query(
    `SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('server_version_num')::int >= 170000`,
  );
  return client;
}

/** Runs `use` with a connection that may write and takes its time, even where the database forbids it by default. */
export async function withSession<T>(connection: ConnectionOptions, use: (client: Client) => Promise<T>): Promise<T> {
  return await withClient(connection, use, { sessionSettings: SETTINGS });
}

/** The environment of psql and pg_restore. `maintenanceWorkMem` as PostgreSQL writes it: `256MB`. */
export function restoreEnvironment(connection: ConnectionOptions, maintenanceWorkMem: string): Record<string, string> {
  const settings = { ...SETTINGS, maintenance_work_mem: maintenanceWorkMem };
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value.replace(/([\\ ])/g, '\\$1')}`);
  return { ...libpqEnvironment(connection), PGOPTIONS: options.join(' ') };
}

/** A connection string that names a database whatever its name is: a bare name with `=` in it would be read as one. */
export function databaseArgument(name: string): string {
  return `dbname='${name.replace(/[\\']/g, '\\$&')}'`;
}
