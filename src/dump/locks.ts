import type { Client } from 'pg';
import type { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { sourceError } from './source-error.ts';
import type { SourceTable } from './tables.ts';

const LOCK_BATCH = 200;

/**
 * Locks the tables `ACCESS SHARE`, the largest first, and returns the oids of those that were not locked: the server's lock
 * table is shared by all sessions, `pg_dump` needs an entry for every table and sequence, and a database of thousands would
 * fill it. What is not locked is compared once more when everything is copied. `others` are tables whose rows `pg_dump`
 * reads; some of their names cannot be spoken in UTF-8, so the server does it.
 */
export async function lockTables(
  client: Client,
  tables: readonly SourceTable[],
  others: readonly number[],
): Promise<ReadonlySet<number>> {
  const { rows } = await client.query<{ room: number }>(
    `SELECT current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int / 3 AS room`,
  );
  const { room } = rows[0]!;
  const bySize = [...tables].sort((a, b) => b.totalBytes - a.totalBytes);
  const locked = bySize.slice(0, room);
  for (let at = 0; at < locked.length; at += LOCK_BATCH) {
    const names = locked.slice(at, at + LOCK_BATCH).map((table) => `ONLY ${table.sqlName}`);
    await client.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE`);
  }
  const lockedOthers = others.slice(0, room - locked.length);
  if (lockedOthers.length > 0) {
    await client.query(`DO $lock$ DECLARE t regclass; BEGIN
      FOREACH t IN ARRAY '{${lockedOthers.join(',')}}'::oid[]::regclass[] LOOP
        EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', t);
      END LOOP; END $lock$`);
  }
  const left = [...bySize.slice(room).map((table) => table.oid), ...others.slice(lockedOthers.length)];
  return new Set(left);
}

/** A failure of the source; if it was a lock that did not come, with the sessions that are in the way. */
export async function lockError(error: unknown, connection: ConnectionOptions, doing: string): Promise<BackupError> {
  if ((error as { code?: string }).code !== '55P03') return sourceError(error, doing);
  const blockers = await nameBlockers(connection).catch(
    (second: unknown) => `Who is in the way cannot be told: ${String(second)}.`,
  );
  return sourceError(error, doing, blockers);
}

/** Who holds or waits for an exclusive lock on a table of the database. */
async function nameBlockers(connection: ConnectionOptions): Promise<string> {
  const ask = async (client: Client): Promise<string[]> => {
    const { rows } = await client.query<{ text: string }>(
      `SELECT DISTINCT format('process %s (%s, %s) %s %I.%I: %s', l.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), 'no name'),
              CASE WHEN l.granted THEN 'holds a lock on' ELSE 'waits for a lock on' END, n.nspname, c.relname, left(coalesce(a.query, '?'), 80)) AS text
         FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
         JOIN pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.map(({ text }) => text);
  };
  const blockers = await withClient(connection, ask, { sessionSettings: { search_path: '' } });
  return blockers.length === 0 ? 'The session that was in the way has gone meanwhile.' : `${blockers.join('; ')}.`;
}
