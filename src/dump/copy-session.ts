import type { Client } from 'pg';
import type { CopySocket } from '../postgres/copy-socket.ts';
import { connect, type ConnectionOptions } from '../postgres/connection.ts';
import { NO_TIME_LIMITS, ROW_TEXT } from '../postgres/row-settings.ts';

/** How rows look in every dump, read once from front to back. */
const COPY_SETTINGS = {
  ...ROW_TEXT,
  ...NO_TIME_LIMITS,
  synchronize_seqscans: 'off',
  max_parallel_workers_per_gather: '0',
};

/** A connection that sees rows as every dump has them, on a server of that version or of one to be asked for. The caller ends it. */
export async function openCopySession(
  connection: ConnectionOptions,
  serverVersion: number | undefined,
  name: string,
  socket?: () => CopySocket,
): Promise<Client> {
  const sessionSettings = { ...COPY_SETTINGS, ...((serverVersion ?? 0) >= 170000 ? { transaction_timeout: '0' } : {}) };
  const client = await connect(connection, {
    applicationName: `db-backup ${name}`,
    sessionSettings,
    ...(socket && { socket }),
  });
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
