import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn } from '../../src/catalog/lsn.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { readStreamState } from '../../src/wal/stream-state.ts';
import { familyMemory } from '../run/process-tree.ts';
import type { Ground } from './ground.ts';
import { receivedUpTo, SEGMENT_BYTES } from './received.ts';
import type { Stream } from './streams.ts';

/** What was seen while the load ran. */
export interface Seen {
  /** The most that was not received, in segments. */
  behind: number;
  /** The most finished segments that waited for a target. */
  waiting: number;
  /** At each look, seconds since the newest instant that could be recovered: from here, and from the bucket. */
  readonly onDisk: number[];
  readonly offSite: number[];
  /** The most memory of the receiver, or of the daemon and its own. */
  bytes: number;
}

const LOOK_MS = 500;
/** The kernel walks through all pages of a process for this, while that one waits. */
const MEMORY_EVERY = 20;

/** Until the signal. Without a stream it asks the server the same, so that all ways pay for being watched. */
export async function watch(ground: Ground, stream: Stream | undefined, signal: AbortSignal): Promise<Seen> {
  const seen: Seen = { behind: 0, waiting: 0, onDisk: [], offSite: [], bytes: 0 };
  const measureMemory = ({ pid }: Stream): void => void (seen.bytes = Math.max(seen.bytes, familyMemory(pid)));
  await withClient(ground.server.connection, async (client) => {
    for (let look = 1; ; look += 1) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) break;
      // Before the server is asked: what it writes meanwhile makes the figure worse, never better.
      const received = stream && (await receivedUpTo(stream.folder));
      const { rows } = await client.query<{ now: string; lsn: string }>(
        `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now,
                pg_current_wal_flush_lsn()::text AS lsn`,
      );
      const { now, lsn } = rows[0]!;
      if (received !== undefined) seen.behind = Math.max(seen.behind, Number(parseLsn(lsn) - received) / SEGMENT_BYTES);
      if (stream && look % MEMORY_EVERY === 0) measureMemory(stream);
      const state = stream && (await readStreamState(stream.folder));
      if (!state) continue;
      const age = (time: string): number => (Date.parse(now) - Date.parse(time)) / 1000;
      if (state.received?.time !== undefined) seen.onDisk.push(age(state.received.time));
      seen.waiting = Math.max(seen.waiting, ...state.targets.map(({ waitingFiles }) => waitingFiles));
      const offSite = state.targets.find(({ target }) => target === 's3')?.reached?.time;
      if (offSite !== undefined) seen.offSite.push(age(offSite));
    }
  });
  if (stream) measureMemory(stream);
  return seen;
}
