import type { Client } from 'pg';
import type { DatabaseProperties, Omission, Requirements, ServerProperties } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { readDatabaseProperties } from '../postgres/database-properties.ts';
import { readHiddenMappings, readLargeObjects, readRequirements } from './database-facts.ts';
import { openCopySession } from './copy-session.ts';
import { assertUnchanged, listNames, readIdentities } from './identities.ts';
import { lockError, lockTables } from './locks.ts';
import { sourceError } from './source-error.ts';
import { readNaming, readSequenceNames, readTables, type SourceSequence, type SourceTable } from './tables.ts';

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
  /** Every table whose rows are to be in the dump, or named as left out, by oid. */
  readonly plainTables: readonly number[];
  readonly sequences: readonly SourceSequence[];
  readonly largeObjects: { readonly count: number; readonly unreadable: number };
  /** What this role or this server cannot give. */
  readonly omitted: readonly Omission[];
  /** What ended the connection while it only held the snapshot, if something did: the cause of whatever fails then. */
  broken(): unknown;
  /** Makes sure that what could not be locked did not change, and ends the transaction; throws if the connection broke meanwhile, since the locks were gone then, too. */
  release(): Promise<void>;
  /** Ends what is left after a failure, without waiting for a server that may not answer; does nothing after `release`. */
  abandon(): void;
}

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
    hangUp(client);
    throw await lockError(error, connection, 'taking the snapshot and the locks');
  }
}

/** The server ends a session whose connection is gone, and with it the transaction and its locks. */
function hangUp(client: Client): void {
  client.connection.stream.destroy();
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
  const seen = await readIdentities(client);
  const ours = new Set(found.map((table) => table.oid));
  const others = seen.filter(({ oid }) => !ours.has(oid)).map(({ oid }) => oid);
  const unlocked = await lockTables(client, found, others);
  await assertUnchanged(connection, seen);
  const largeObjects = await readLargeObjects(client);
  const hiddenMappings = await readHiddenMappings(client);
  const { properties: database } = (await readDatabaseProperties(client, server.versionNum))!;
  const requires = await readRequirements(client);
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
    plainTables: seen.map(({ oid }) => oid),
    sequences,
    largeObjects,
    omitted: omissions(omittedTables, largeObjects, hiddenMappings),
    async release() {
      const compared = seen.filter(({ oid }) => unlocked.has(oid));
      await assertUnchanged(connection, compared);
      await client.query('ROLLBACK').catch((error: unknown) => {
        throw sourceError(error, 'holding the snapshot');
      });
      await client.end();
    },
    abandon() {
      hangUp(client);
    },
  };
}

function refuseUnreadable(tables: readonly SourceTable[]): void {
  const names = tables.filter((table) => !table.readable).map((table) => table.sqlName);
  if (names.length === 0) return;
  throw new BackupError('SOURCE_PRIVILEGE', `the role may not read ${listNames(names)}: no backup was made.`, {
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
