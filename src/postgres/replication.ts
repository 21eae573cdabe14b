import type pg from 'pg';

import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';

/** What a server says of its WAL. */
export interface WalSource {
  /** Identifies the cluster through restarts and copies. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly segmentBytes: number;
}

export interface SlotState {
  /** The oldest WAL that the server keeps for us; absent when it keeps none yet. */
  readonly restartLsn?: string;
  /** `lost`: WAL that we had not fetched yet is gone. Absent before PostgreSQL 13. */
  readonly walStatus?: string;
  readonly active: boolean;
  /** Whose connection uses it, as far as the role may see that. */
  readonly user?: string;
}

/** One look at the source's clock and at its WAL: everything that was committed before `time` lies before `lsn`. */
export interface WalSample {
  readonly time: string;
  readonly lsn: string;
  /** Of a standby: when the last transaction that it has replayed was committed, by the primary's clock; absent when there is none. */
  readonly replayedTime?: string;
  readonly standby: boolean;
  /** On which `lsn` is; not known of a standby. */
  readonly timeline?: number;
}

/** Through the replication protocol, which every role with REPLICATION may speak. */
export async function identifyWalSource(connection: ConnectionOptions, signal?: AbortSignal): Promise<WalSource> {
  return await withClient(
    connection,
    async (client) => {
      const { rows } = await client.query<{ systemid: string; timeline: number | string }>('IDENTIFY_SYSTEM');
      const size = await client.query<{ wal_segment_size: string }>('SHOW wal_segment_size');
      return {
        systemIdentifier: rows[0]!.systemid,
        // An int8 since PostgreSQL 16, which the driver gives as text.
        timeline: Number(rows[0]!.timeline),
        segmentBytes: bytesOf(size.rows[0]!.wal_segment_size),
      };
    },
    { replication: true, ...(signal && { signal }) },
  );
}

/** `undefined`: there is no such slot. */
export async function readSlot(client: Pick<pg.Client, 'query'>, name: string): Promise<SlotState | undefined> {
  const { rows } = await client.query<{ restart: string | null; status: string | null; active: boolean; user: string | null }>(
    // As a row in JSON: the column `wal_status` came with PostgreSQL 13.
    `SELECT restart_lsn::text AS restart, pg_catalog.to_jsonb(s) ->> 'wal_status' AS status, active,
            'process ' || active_pid || coalesce(' from ' || pg_catalog.host(r.client_addr), '')
              || coalesce(', since ' || pg_catalog.to_char(r.backend_start AT TIME ZONE 'UTC', '${ISO}'), '') AS user
       FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
      WHERE slot_name = $1 AND slot_type = 'physical'`,
    [name],
  );
  const [row] = rows;
  if (!row) return undefined;
  return {
    active: row.active,
    ...(row.restart !== null && { restartLsn: row.restart }),
    ...(row.status !== null && { walStatus: row.status }),
    ...(row.user !== null && { user: row.user }),
  };
}

/** The server keeps all WAL from now on, until it is fetched. Throws SOURCE_PRIVILEGE or SOURCE_FAILED, with what to do. */
export async function createSlot(client: Pick<pg.Client, 'query'>, name: string): Promise<void> {
  try {
    await client.query('SELECT pg_catalog.pg_create_physical_replication_slot($1, true)', [name]);
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    if (code === '42501') {
      throw new BackupError('SOURCE_PRIVILEGE', `the role may not make a replication slot: ${message}`, {
        cause,
        hint: 'Give the role the attribute: ALTER ROLE … REPLICATION.',
      });
    }
    throw new BackupError('SOURCE_FAILED', `the replication slot ${name} could not be made: ${message}`, {
      cause,
      hint: 'The server needs wal_level = replica, and max_replication_slots and max_wal_senders with one left for us (each needs a restart).',
    });
  }
}

/** Ends the connection that uses it, on the server; that takes a moment. */
export async function freeSlot(client: Pick<pg.Client, 'query'>, name: string): Promise<void> {
  await client.query(
    `SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots
      WHERE slot_name = $1 AND active_pid IS NOT NULL`,
    [name],
  );
}

/** Ends the connection that uses it, on the server, and drops it. Throws while that one has not ended yet. */
export async function dropSlot(client: Pick<pg.Client, 'query'>, name: string): Promise<void> {
  await freeSlot(client, name);
  await client.query(
    'SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1',
    [name],
  );
}

/**
 * First the clock, then the WAL: what was committed before that time lies before that place. With `heartbeat` a transaction that changes
 * nothing is committed in between: on an idle source, too, there is then a commit after that time, at which a recovery to it can end.
 * A standby takes none; its clock and the place it has replayed are read. It may be behind its primary, so its clock says nothing of what is
 * there: `replayedTime` does.
 */
export async function sampleWal(client: Pick<pg.Client, 'query'>, heartbeat: boolean): Promise<WalSample> {
  const { rows: clock } = await client.query<{ time: string; standby: boolean; replayed: string | null }>(
    `SELECT pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', '${ISO}') AS time,
            pg_catalog.pg_is_in_recovery() AS standby,
            pg_catalog.to_char(pg_catalog.pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', '${ISO}') AS replayed`,
  );
  const { time, standby, replayed } = clock[0]!;
  if (heartbeat && !standby) await client.query('SELECT pg_catalog.txid_current()');
  const { rows } = await client.query<{ lsn: string | null; file: string | null }>(
    standby
      ? 'SELECT pg_catalog.pg_last_wal_replay_lsn()::text AS lsn, NULL AS file'
      : `SELECT lsn::text, pg_catalog.pg_walfile_name(lsn) AS file FROM pg_catalog.pg_current_wal_insert_lsn() AS lsn`,
  );
  const { lsn, file } = rows[0]!;
  if (lsn === null) throw new BackupError('SOURCE_FAILED', 'the standby has replayed no WAL yet', { retryable: true });
  return {
    ...{ time, lsn, standby },
    ...(standby && replayed !== null && { replayedTime: replayed }),
    ...(file !== null && { timeline: Number.parseInt(file.slice(0, 8), 16) }),
  };
}

const ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';

/** Ends the current segment of WAL, so that it is archived; a role that may not, and a standby, let it fill by itself. */
export async function requestSegmentSwitch(client: Pick<pg.Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT NOT pg_catalog.pg_is_in_recovery()
        AND pg_catalog.has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE') AS may`,
  );
  if (rows[0]?.may === true) await client.query('SELECT pg_catalog.pg_switch_wal()');
}

/** `16MB` → bytes. */
function bytesOf(setting: string): number {
  const match = /^(\d+)(kB|MB|GB)$/.exec(setting);
  if (!match) throw new BackupError('SOURCE_FAILED', `the server's wal_segment_size is not understood: ${setting}`);
  return Number(match[1]) * { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }[match[2] as 'kB' | 'MB' | 'GB'];
}
