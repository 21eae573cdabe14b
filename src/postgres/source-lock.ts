import { hostname } from 'node:os';
import type { Client } from 'pg';
import { BackupError } from '../errors.ts';
import { connect, type ConnectionOptions } from './connection.ts';

export interface SourceLock {
  release(): Promise<void>;
}

/** The two keys of the advisory lock; the server has it for each database apart. */
const LOCK = [1_684_170_352, 1] as const;
const HANG_UP_MS = 3000;
/** What names the holder to others: `pg_stat_activity` shows it to every role. */
const HOLDER = 'db-backup lock:';

/**
 * Takes an advisory lock in the database, so that it is dumped once at a time, from whatever process, container or machine. Held by a
 * connection of its own, and gone with it. Throws `LOCKED` at once, with the holder's name, when somebody has it.
 */
export async function lockSource(connection: ConnectionOptions, source: string, signal: AbortSignal): Promise<SourceLock> {
  const applicationName = `${HOLDER} process ${process.pid} on ${hostname()}`;
  const client = await connect(connection, { applicationName, signal });
  try {
    // An idle session must live as long as the dump. Servers before 14 do not know the setting.
    await client.query(
      `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout'`,
    );
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_catalog.pg_try_advisory_lock($1, $2) AS taken', [...LOCK]);
    if (rows[0]?.taken !== true) throw await lockedBy(client, source, connection.database);
    return {
      release: () => hangUp(client),
    };
  } catch (error) {
    await hangUp(client);
    throw error;
  }
}

/** So that the next one finds it free; a network that carries nothing any more is not waited for. */
async function hangUp(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), HANG_UP_MS);
  await client.end().catch(() => undefined);
  clearTimeout(timer);
}

async function lockedBy(client: Client, source: string, database: string): Promise<BackupError> {
  const { rows } = await client.query<{ pid: number; holder: string; role: string }>(
    `SELECT pid, application_name AS holder, usename AS role
       FROM pg_catalog.pg_locks JOIN pg_catalog.pg_stat_activity USING (pid)
      WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid = $2 AND objsubid = 2
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
    [...LOCK],
  );
  const [found] = rows;
  const who = found?.holder.startsWith(HOLDER) === true ? found.holder.slice(HOLDER.length).trim() : found?.holder;
  const holder = found ? `${who ?? ''}, server process ${found.pid}, role ${found.role}` : 'it has just ended';
  return new BackupError(
    'LOCKED',
    `database ${JSON.stringify(database)} (${source}) is being backed up by another run (${holder}); this one did nothing`,
    {
      hint: 'Wait until it has ended. If it is none of yours, another installation backs up the same database: give the two different times.',
      retryable: true,
    },
  );
}
