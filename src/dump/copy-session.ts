import type { Client } from 'pg';
import { connect, type ConnectionOptions } from '../postgres/connection.ts';

/** How rows look in every dump, whatever the server, the database or the role has set (docs/backup-format.md). */
const COPY_SETTINGS = {
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  TimeZone: 'UTC',
  bytea_output: 'hex',
  search_path: '',
  lc_monetary: 'C',
  xmloption: 'content',
  row_security: 'off',
  quote_all_identifiers: 'off',
  synchronize_seqscans: 'off',
  max_parallel_workers_per_gather: '0',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  client_encoding: 'UTF8',
};

/** A connection that sees rows as every dump has them, on a server of that version or of one to be asked for. The caller ends it. */
export async function openCopySession(
  connection: ConnectionOptions,
  serverVersion: number | undefined,
  name: string,
): Promise<Client> {
  const sessionSettings = { ...COPY_SETTINGS, ...((serverVersion ?? 0) >= 170000 ? { transaction_timeout: '0' } : {}) };
  const client = await connect(connection, { applicationName: `db-backup ${name}`, sessionSettings });
  if (serverVersion !== undefined) return client;
  try {
    await client.query(
      `SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('server_version_num')::int >= 170000`,
    );
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** Enters the snapshot that another session has exported. */
export async function enterSnapshot(client: Client, snapshot: string): Promise<void> {
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT '${snapshot.replaceAll("'", "''")}'`);
}
