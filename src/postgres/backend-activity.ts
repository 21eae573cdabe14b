import { withClient, type ConnectionOptions } from './connection.ts';

/** What the server says of one of its processes that works for us. */
export interface Backend {
  readonly pid: number;
  readonly state: string | null;
  readonly waitType: string | null;
  readonly waitEvent: string | null;
  /** When its statement began, and its state changed. */
  readonly since: string | null;
  /** How far a COPY has come; null of everything else. */
  readonly copied: string | null;
}

const NAME = 'db-backup watch';
/** Waits that say that somebody else has to act: our network, or the holder of a lock. */
const WAITS_FOR_OTHERS = new Set(['Client', 'Lock', 'BufferPin', 'LWLock', 'IPC', 'Extension', 'Activity']);

/** The processes of a server that work for this account's db-backup in one database, with their parallel workers. */
export async function readActivity(connection: ConnectionOptions, signal: AbortSignal): Promise<readonly Backend[]> {
  return await withClient(
    connection,
    async (client) => {
      const { rows: views } = await client.query(`SELECT 1 WHERE to_regclass('pg_catalog.pg_stat_progress_copy') IS NOT NULL`);
      // Before version 14 nothing says how far it is.
      const copies =
        views.length > 0 ? 'SELECT pid, c::text AS text FROM pg_stat_progress_copy c' : 'SELECT 0 AS pid, NULL AS text';
      // leader_pid is not there in version 12.
      const { rows } = await client.query<Backend>(
        `WITH all_of AS (SELECT *, (to_jsonb(a) ->> 'leader_pid')::int AS leader FROM pg_catalog.pg_stat_activity a),
              own AS (SELECT pid FROM all_of
                       WHERE usename = current_user AND datname = current_database() AND leader IS NULL
                         AND (application_name LIKE 'db-backup%' OR application_name = 'pg_dump') AND application_name <> $1),
              copies AS (${copies})
         SELECT a.pid, a.state, a.wait_event_type AS "waitType", a.wait_event AS "waitEvent",
                concat_ws(' ', a.query_start, a.state_change) AS since,
                coalesce((SELECT max(c.text) FROM copies c WHERE c.pid = a.pid),
                         CASE WHEN a.query LIKE '%COPY %' THEN 'not counted' END) AS copied
           FROM all_of a WHERE a.pid IN (SELECT pid FROM own) OR a.leader IN (SELECT pid FROM own)
          ORDER BY a.pid`,
        [NAME],
      );
      return rows;
    },
    { applicationName: NAME, signal },
  );
}

/**
 * Whether the server was at work for us between two looks. A process is when anything about it has changed, its count of a COPY above all.
 * One that counts nothing, such as the build of an index, is taken to be at work as long as it waits for nobody: a long one is no stall.
 */
export function isAtWork(before: readonly Backend[] | undefined, now: readonly Backend[]): boolean {
  const known = new Map(before?.map((backend) => [backend.pid, JSON.stringify(backend)]));
  return now.some((backend) => {
    const { pid, state, waitType, copied } = backend;
    if (before && known.get(pid) !== JSON.stringify(backend)) return true;
    if (state !== 'active' || (waitType !== null && WAITS_FOR_OTHERS.has(waitType))) return false;
    return copied === null || waitType === 'Timeout';
  });
}
