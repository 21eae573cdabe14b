import type pg from 'pg';

/** How a server stands that keeps WAL for us. */
export interface WalView {
  /** Where its WAL ends; of a standby, what it has replayed. */
  readonly lsn: string;
  readonly standby: boolean;
  /** Up to where we have said that all is durable: the whole segments at least; absent without a slot, and when the server has given our WAL up. */
  readonly flushedLsn?: string;
  /** WAL that it keeps for us. */
  readonly keptBytes: number;
  /** `reserved`, `extended`, `unreserved`, `lost`, or `none`: there is no slot. */
  readonly slot: string;
  /** What may still be written until it gives WAL up that we have not fetched; absent when nothing makes it do that. */
  readonly safeBytes?: number;
  /** `max_slot_wal_keep_size`; absent when there is no such limit. */
  readonly limitBytes?: number;
  /** All of its `pg_wal`; absent when the role may not see it. */
  readonly walBytes?: number;
  /** Whom its commits wait for, by its `synchronous_standby_names`. */
  readonly commits: CommitsWait;
  /** The role may not see how far a receiver is (`pg_read_all_stats`); only the slot says so, which moves when something has been made durable. */
  readonly receiverHidden: boolean;
}

/**
 * `us`: until it is durable here, alone or among others; also where the role may not see whether a standby comes before us. `absent`: for us, and
 * nothing receives. `other`: a standby that comes before us.
 */
export type CommitsWait = 'us' | 'absent' | 'other' | 'nobody';

interface Row {
  readonly lsn: string;
  readonly standby: boolean;
  readonly flushed: string | null;
  readonly kept: string | null;
  readonly status: string | null;
  readonly safe: string | null;
  readonly limit: string | null;
  readonly may: boolean;
  readonly named: boolean;
  readonly active: boolean;
  readonly hidden: boolean;
  readonly sync: string | null;
}

/** Any role may see this, but for the size of `pg_wal` and what a receiver has told, which are for members of `pg_monitor`. */
const VIEW = `
SELECT place.lsn::text AS lsn, place.standby, s.restart_lsn::text AS flushed,
       greatest(place.lsn - s.restart_lsn, 0)::text AS kept,
       coalesce(pg_catalog.to_jsonb(s) ->> 'wal_status', CASE WHEN s.slot_name IS NOT NULL THEN 'reserved' END) AS status,
       pg_catalog.to_jsonb(s) ->> 'safe_wal_size' AS safe,
       (SELECT (setting::bigint * 1048576)::text FROM pg_catalog.pg_settings
         WHERE name = 'max_slot_wal_keep_size' AND setting::bigint >= 0) AS limit,
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE') AS may,
       ARRAY[$1::text, '*'] && pg_catalog.regexp_split_to_array(
                   pg_catalog.lower(pg_catalog.current_setting('synchronous_standby_names')), '[^a-z0-9_*]+') AS named,
       coalesce(s.active, false) AS active, NOT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS hidden,
       (SELECT sync_state FROM pg_catalog.pg_stat_replication r WHERE r.pid = s.active_pid) AS sync
  FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby,
               CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                    ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) place
  LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $1 AND s.slot_type = 'physical'`;

export async function viewWal(client: Pick<pg.Client, 'query'>, slot: string): Promise<WalView> {
  const { rows } = await client.query<Row>(VIEW, [slot]);
  const { lsn, standby, flushed, kept, status, safe, limit, may, hidden } = rows[0]!;
  // A query of its own: its mere presence in another one fails for a role that may not call the function.
  const size = may
    ? await client.query<{ bytes: string }>('SELECT coalesce(sum(size), 0)::text AS bytes FROM pg_catalog.pg_ls_waldir()')
    : undefined;
  return {
    ...{ lsn, standby, keptBytes: Number(kept ?? 0), slot: status ?? 'none' },
    ...{ commits: commitsWait(rows[0]!), receiverHidden: hidden },
    ...(flushed !== null && { flushedLsn: flushed }),
    ...(safe !== null && { safeBytes: Number(safe) }),
    ...(limit !== null && { limitBytes: Number(limit) }),
    ...(size && { walBytes: Number(size.rows[0]!.bytes) }),
  };
}

function commitsWait({ sync, named, active, hidden }: Row): CommitsWait {
  if (sync === 'sync' || sync === 'quorum' || (hidden && active && named)) return 'us';
  if (sync === 'potential') return 'other';
  return named ? 'absent' : 'nobody';
}

/**
 * Waits until all WAL before `lsn` has been written here, if not yet made durable, or `ms` have passed; says up to where it has been. Where
 * that is hidden from the role, up to where it is durable: a receiver that tells so of each message is meant for that.
 */
export async function awaitWritten(
  client: Pick<pg.Client, 'query'>,
  slot: string,
  lsn: string,
  { ms, signal, sleep }: { readonly ms: number; readonly signal: AbortSignal; readonly sleep: (ms: number) => Promise<void> },
): Promise<string | undefined> {
  for (let waited = 0; ; waited += POLL_MS) {
    const { rows } = await client.query<{ written: string | null; done: boolean | null }>(
      `SELECT coalesce(write_lsn, restart_lsn)::text AS written, coalesce(write_lsn, restart_lsn) >= $2::pg_lsn AS done
         FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
        WHERE slot_name = $1`,
      [slot, lsn],
    );
    if (rows[0]?.done === true || waited >= ms || signal.aborted) return rows[0]?.written ?? undefined;
    await sleep(POLL_MS);
  }
}

const POLL_MS = 50;
