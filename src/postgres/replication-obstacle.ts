import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';
import { identifyWalSource } from './replication.ts';

interface Row {
  readonly level: string;
  readonly senders: number;
  readonly sending: number;
  readonly slots: number;
  readonly taken: number;
  readonly ours: boolean;
  readonly may: boolean;
  readonly role: string;
}

const FACTS = `
SELECT pg_catalog.current_setting('wal_level') AS level,
       pg_catalog.current_setting('max_wal_senders')::int AS senders,
       (SELECT count(*)::int FROM pg_catalog.pg_stat_replication) AS sending,
       pg_catalog.current_setting('max_replication_slots')::int AS slots,
       (SELECT count(*)::int FROM pg_catalog.pg_replication_slots) AS taken,
       EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = $1) AS ours,
       (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may,
       current_user AS role`;

/**
 * Without a slot only what a physical backup needs is asked for.
 * Why WAL cannot be streamed from this server, in plain words; `undefined` when it can. With `tries` a connection for replication is made,
 * too. Throws what `connect` throws where the server does not answer at all.
 */
export async function replicationObstacle(
  connection: ConnectionOptions,
  slot: string | undefined,
  { tries, signal }: { readonly tries: boolean; readonly signal: AbortSignal },
): Promise<BackupError | undefined> {
  const { rows } = await withClient(connection, async (client) => await client.query<Row>(FACTS, [slot ?? null]), {
    ...{ signal, untilAborted: true },
  });
  const known = obstacleIn(rows[0]!, slot !== undefined);
  if (known || !tries) return known;
  try {
    await identifyWalSource(connection, signal);
    return undefined;
  } catch (cause) {
    signal.throwIfAborted();
    return refusal(cause, rows[0]!);
  }
}

function obstacleIn({ level, senders, slots, taken, ours, may, role }: Row, needsSlot: boolean): BackupError | undefined {
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
  if (needsSlot && !ours && taken >= slots) {
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
