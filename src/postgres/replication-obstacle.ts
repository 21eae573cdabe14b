import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';
import { identifyWalSource } from './replication.ts';

/** How a server stands to its WAL being streamed. */
export interface ReplicationLook {
  /** Why that cannot be, in plain words. */
  readonly obstacle?: BackupError;
  /** Whether it limits what a slot may keep (`max_slot_wal_keep_size`). PostgreSQL 12 cannot. */
  readonly limit: 'set' | 'unset' | 'unsupported';
  /** Ours, by its name. */
  readonly slot: 'none' | 'unused' | 'used';
  /** It hands its WAL to an `archive_command`. */
  readonly archives: boolean;
}

interface Row {
  readonly level: string;
  readonly senders: number;
  readonly sending: number;
  readonly slots: number;
  readonly taken: number;
  readonly slot: ReplicationLook['slot'];
  readonly limit: ReplicationLook['limit'];
  readonly archives: boolean;
  readonly may: boolean;
  readonly role: string;
}

const FACTS = `
SELECT pg_catalog.current_setting('wal_level') AS level,
       pg_catalog.current_setting('max_wal_senders')::int AS senders,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_replication) AS sending,
       pg_catalog.current_setting('max_replication_slots')::int AS slots,
       (SELECT count(*)::int FROM pg_catalog.pg_replication_slots) AS taken,
       coalesce((SELECT CASE WHEN active THEN 'used' ELSE 'unused' END
                   FROM pg_catalog.pg_replication_slots WHERE slot_name = $1), 'none') AS slot,
       coalesce((SELECT CASE setting WHEN '-1' THEN 'unset' ELSE 'set' END
                   FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'), 'unsupported') AS limit,
       pg_catalog.current_setting('archive_mode') <> 'off' AS archives,
       (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may,
       current_user AS role`;

/** Why WAL cannot be streamed from this server; `undefined` when it can. Throws and takes what {@link lookAtReplication} does. */
export async function replicationObstacle(
  connection: ConnectionOptions,
  slot: string | undefined,
  options: { readonly tries: boolean; readonly signal: AbortSignal },
): Promise<BackupError | undefined> {
  return (await lookAtReplication(connection, slot, options)).obstacle;
}

/**
 * Without a slot only what a physical backup needs is asked for. With `tries` a connection for replication is made, too, where nothing else
 * is in the way. Throws what `connect` throws where the server does not answer at all.
 */
export async function lookAtReplication(
  connection: ConnectionOptions,
  slot: string | undefined,
  { tries, signal }: { readonly tries: boolean; readonly signal: AbortSignal },
): Promise<ReplicationLook> {
  const { rows } = await withClient(connection, async (client) => await client.query<Row>(FACTS, [slot ?? null]), {
    ...{ signal },
  });
  const row = rows[0]!;
  const obstacle = obstacleIn(row, slot !== undefined) ?? (tries ? await refusalOf(connection, row, signal) : undefined);
  return { ...(obstacle && { obstacle }), limit: row.limit, slot: row.slot, archives: row.archives };
}

async function refusalOf(connection: ConnectionOptions, row: Row, signal: AbortSignal): Promise<BackupError | undefined> {
  try {
    await identifyWalSource(connection, signal);
    return undefined;
  } catch (cause) {
    signal.throwIfAborted();
    return refusal(cause, row);
  }
}

function obstacleIn({ level, senders, slots, taken, slot, may, role }: Row, needsSlot: boolean): BackupError | undefined {
  if (level === 'minimal') {
    return obstacle(
      'SOURCE_FAILED',
      'the server writes too little WAL to replay it elsewhere (wal_level = minimal)',
      'Set wal_level = replica, max_wal_senders and max_replication_slots on the server, and restart it.',
    );
  }
  if (!may) {
    return obstacle(
      'SOURCE_PRIVILEGE',
      `the role ${JSON.stringify(role)} may not replicate`,
      `A superuser gives it the right: ALTER ROLE ${role} REPLICATION.`,
    );
  }
  if (senders === 0) {
    return obstacle(
      'SOURCE_FAILED',
      'the server sends its WAL to nobody (max_wal_senders = 0)',
      'Set max_wal_senders to 10, its default, and restart the server.',
    );
  }
  if (needsSlot && slot === 'none' && taken >= slots) {
    return obstacle(
      'SOURCE_FAILED',
      `all replication slots of the server are taken (max_replication_slots = ${slots})`,
      'Drop one that nobody uses (pg_replication_slots), or raise max_replication_slots and restart the server.',
    );
  }
  return undefined;
}

function refusal(cause: unknown, { senders, sending }: Row): BackupError {
  const error = cause as BackupError;
  const driver = error.cause as { readonly code?: string } | undefined;
  if (driver?.code === '53300') {
    return obstacle(
      'SOURCE_FAILED',
      `the server has no free walsender (max_wal_senders = ${senders}, ${sending} at work)`,
      'Raise max_wal_senders and restart the server: one is for the WAL, a second one for physical backups.',
      error,
    );
  }
  if (driver?.code === '28000') {
    return obstacle(
      'SOURCE_AUTHENTICATION',
      `the server lets this machine in, but not for replication: ${error.message}`,
      'Add a line to pg_hba.conf: host replication <role> <address> scram-sha-256; then pg_reload_conf().',
      error,
    );
  }
  return error;
}

function obstacle(
  code: 'SOURCE_FAILED' | 'SOURCE_PRIVILEGE' | 'SOURCE_AUTHENTICATION',
  says: string,
  hint: string,
  cause?: unknown,
) {
  return new BackupError(code, `WAL cannot be streamed: ${says}`, { hint, cause });
}
