import type { Client } from 'pg';
import type { DatabaseProperties, Omission, Requirements, ServerProperties } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { readDatabaseProperties } from '../postgres/database-properties.ts';
import { readHiddenMappings, readLargeObjects, readRequirements } from './database-facts.ts';
import { openCopySession } from './copy-session.ts';
import { sourceError } from './source-error.ts';
import {
  identityOf,
  readIdentities,
  readNaming,
  readPlainTables,
  readSequenceNames,
  readTables,
  type SourceSequence,
  type SourceTable,
} from './tables.ts';

/** Places between the phases where tests change the source. */
export interface DumpHooks {
  /** The snapshot is taken, nothing is locked yet. */
  afterSnapshot?(facts: { readonly snapshot: string }): Promise<void>;
  /** The tables are locked and found unchanged; pg_dump and the workers have not begun. */
  afterLocks?(facts: { readonly snapshot: string }): Promise<void>;
  /** The rows are copied, the snapshot is still held. */
  afterRows?(facts: { readonly snapshot: string }): Promise<void>;
}

/** What the leader's transaction has found; it holds snapshot and locks until {@link Leader.release}. */
export interface Leader {
  readonly snapshot: string;
  readonly snapshotTime: string;
  readonly lsn: string;
  readonly encoding: string;
  readonly database: DatabaseProperties;
  readonly requires: Requirements;
  /** The tables whose rows we copy. */
  readonly tables: readonly SourceTable[];
  /** Those and the tables whose rows are left out: what `pg_dump` has to pass over. */
  readonly excluded: readonly SourceTable[];
  /** Every plain table that is not the system's or an extension's, by oid. */
  readonly plainTables: readonly number[];
  readonly sequences: readonly SourceSequence[];
  readonly largeObjects: { readonly count: number; readonly unreadable: number };
  /** What this role or this server cannot give. */
  readonly omitted: readonly Omission[];
  /** What ended the connection while it only held the snapshot, if something did: the cause of whatever fails then. */
  broken(): unknown;
  /** Makes sure that what could not be locked did not change, and ends the transaction; throws if the connection broke meanwhile, since the locks were gone then, too. */
  release(): Promise<void>;
  /** Ends what is left after a failure; does nothing after `release`. */
  abandon(): Promise<void>;
}

const LOCK_BATCH = 200;

/** Takes the snapshot, then locks every table `ACCESS SHARE`, then makes sure that none changed in between. */
export async function startLeader(
  connection: ConnectionOptions,
  server: ServerProperties,
  lockTimeoutMs: number,
  hooks: DumpHooks,
  signal: AbortSignal,
): Promise<Leader> {
  const client = await openCopySession(connection, server.versionNum, 'leader');
  let broken: unknown;
  client.on('error', (error: unknown) => {
    broken ??= error;
  });
  try {
    const leader = await endedOnAbort(client, connection, signal, () => lead(client, connection, server, lockTimeoutMs, hooks));
    return { ...leader, broken: () => broken };
  } catch (error) {
    await client.end();
    throw await lockError(error, connection, 'taking the snapshot and the locks');
  }
}

/** A session that waits for a lock listens to nobody: on abort its server process is ended from another connection. */
async function endedOnAbort<T>(
  client: Client,
  connection: ConnectionOptions,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  let ending: Promise<unknown> | undefined;
  const onAbort = (): void => {
    ending = withClient(connection, (other) => other.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])).catch(() => {
      // No other way is left; the server notices when it next looks at the connection.
      client.connection.stream.destroy();
    });
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await run();
  } finally {
    signal.removeEventListener('abort', onAbort);
    await ending;
  }
}

async function lead(
  client: Client,
  connection: ConnectionOptions,
  server: ServerProperties,
  lockTimeoutMs: number,
  hooks: DumpHooks,
): Promise<Omit<Leader, 'broken'>> {
  await client.query(`SET lock_timeout = ${String(lockTimeoutMs)}`);
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const lsn = server.standby ? 'pg_last_wal_replay_lsn()' : 'pg_current_wal_lsn()';
  const { rows } = await client.query<{ snapshot: string; time: Date; lsn: string | null }>(
    `SELECT pg_export_snapshot() AS snapshot, clock_timestamp() AS time, ${lsn}::text AS lsn`,
  );
  const { snapshot, time, lsn: position } = rows[0]!;
  await hooks.afterSnapshot?.({ snapshot });

  const { encoding, namesInAnyLanguage } = await readNaming(client);
  const found = await readTables(client, namesInAnyLanguage);
  refuseUnreadable(found);
  const omittedTables = found.filter((table) => table.rowSecurity || (table.unlogged && server.standby));
  const tables = found.filter((table) => !omittedTables.includes(table));
  const unlocked = await lockTables(client, found);
  await assertUnchanged(connection, found);
  const largeObjects = await readLargeObjects(client);
  const hiddenMappings = await readHiddenMappings(client);
  const { properties: database } = (await readDatabaseProperties(client, server.versionNum))!;
  const requires = await readRequirements(client);
  const plainTables = await readPlainTables(client);
  const sequences = await readSequenceNames(client);
  await hooks.afterLocks?.({ snapshot });

  return {
    snapshot,
    snapshotTime: time.toISOString(),
    lsn: position ?? '',
    encoding,
    database,
    requires,
    tables,
    excluded: found,
    plainTables,
    sequences,
    largeObjects,
    omitted: omissions(omittedTables, largeObjects, hiddenMappings),
    async release() {
      await assertUnchanged(connection, unlocked);
      await client.query('ROLLBACK').catch((error: unknown) => {
        throw sourceError(error, 'holding the snapshot');
      });
      await client.end();
    },
    async abandon() {
      await client.end();
    },
  };
}

function refuseUnreadable(tables: readonly SourceTable[]): void {
  const names = tables.filter((table) => !table.readable).map((table) => table.sqlName);
  if (names.length === 0) return;
  throw new BackupError('SOURCE_PRIVILEGE', `the role may not read ${list(names)}: no backup was made.`, {
    hint: 'Grant it: GRANT pg_read_all_data TO <role>; docs/least-privilege.md has the whole list.',
  });
}

function omissions(
  tables: readonly SourceTable[],
  largeObjects: { count: number; unreadable: number },
  hiddenMappings: readonly string[],
): Omission[] {
  const omitted: Omission[] = tables.map((table) => ({
    kind: 'rows',
    object: table.sqlName,
    reason: table.rowSecurity
      ? 'row-level security hides rows from this role: give it BYPASSRLS'
      : 'an unlogged table has no rows on a standby: back up the primary',
  }));
  if (largeObjects.unreadable > 0) {
    omitted.push({
      kind: 'large-objects',
      object: 'large objects',
      reason:
        `${String(largeObjects.unreadable)} of ${String(largeObjects.count)} may not be read by this role, and pg_dump takes all ` +
        'or none: none is in the dump',
    });
  }
  for (const object of hiddenMappings) {
    omitted.push({ kind: 'object', object, reason: 'its options, if it has any, may not be read by this role' });
  }
  return omitted;
}

/**
 * Locks the tables, the largest first, and returns those that were not locked: the server's lock table is shared by all
 * sessions, `pg_dump` needs an entry for every table and sequence, and a database of thousands would fill it. What is not
 * locked is compared once more when everything is copied.
 */
async function lockTables(client: Client, tables: readonly SourceTable[]): Promise<SourceTable[]> {
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
  return bySize.slice(room);
}

/**
 * A TRUNCATE or rewrite between snapshot and lock leaves a table that looks empty to the snapshot; it would be dumped so, and
 * the digest would prove it. Two tables that swapped their names would be dumped as each other. Now that the locks forbid any
 * such change, another session's view of the catalog must be the snapshot's: same table, name, columns and file of rows.
 */
async function assertUnchanged(connection: ConnectionOptions, tables: readonly SourceTable[]): Promise<void> {
  if (tables.length === 0) return;
  const now = await withClient(
    connection,
    async (client) =>
      await readIdentities(
        client,
        tables.map((table) => table.oid),
      ),
  );
  const changed = tables.filter((table) => now.get(table.oid) !== identityOf(table)).map((table) => table.sqlName);
  if (changed.length === 0) return;
  throw new BackupError('SOURCE_CHANGED', `${list(changed)} changed during the dump.`, {
    retryable: true,
    hint: 'Nothing was kept of this attempt. If it happens every time, move the schedule away from migrations and TRUNCATEs.',
  });
}

/** A failure of the source; if it was a lock that did not come, with the sessions that are in the way. */
export async function lockError(error: unknown, connection: ConnectionOptions, doing: string): Promise<BackupError> {
  const blockers = (error as { code?: string }).code === '55P03' ? await nameBlockers(connection) : '';
  return sourceError(error, doing, blockers);
}

/** Who holds or waits for an exclusive lock on a table of the database. */
async function nameBlockers(connection: ConnectionOptions): Promise<string> {
  const blockers = await withClient(connection, async (client) => {
    const { rows } = await client.query<{ text: string }>(
      `SELECT DISTINCT format('process %s (%s, %s) %s %s: %s', l.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), 'no name'),
              CASE WHEN l.granted THEN 'holds a lock on' ELSE 'waits for a lock on' END, l.relation::regclass, left(coalesce(a.query, '?'), 80)) AS text
         FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
          AND l.relation IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p'))
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    return rows.map(({ text }) => text);
  });
  return blockers.length === 0 ? 'The session that was in the way has gone meanwhile.' : `${blockers.join('; ')}.`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(', ');
  return names.length > 10 ? `${shown} and ${String(names.length - 10)} more tables` : shown;
}
