import { setTimeout as sleep } from 'node:timers/promises';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { withClient } from '../postgres/connection.ts';
import { sampleWal } from '../postgres/replication.ts';
import { awaitWritten, viewWal } from '../postgres/wal-view.ts';
import type { SourceView } from '../wal/stream-state.ts';
import { syncOpenSegment } from '../wal/sync-open-segment.ts';
import type { SlotParts } from './wal-slot.ts';

/** One look at the source. */
export interface SourceSample {
  readonly view: SourceView;
  /** That a primary writes on. */
  readonly timeline?: number;
  /** It counts once WAL up to its place is here. Absent for a standby that has replayed nothing yet. */
  readonly moment?: WalMoment;
  /** Up to where it is durable here: the receiver told the source that it was written, and then it was synced. */
  readonly durableLsn?: string;
}

/**
 * Notes the source's clock, and waits for `patienceMs` at most until the WAL of that moment is durable here. Of a standby it notes the last
 * commit that it has replayed: its own clock says nothing of what has reached it. `folder`: where WAL is received.
 */
export async function sampleSource(
  parts: SlotParts,
  folder: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<SourceSample> {
  return await withClient(
    parts.connection,
    async (client) => {
      const { time: clock, lsn, standby, timeline, replayedTime } = await sampleWal(client, true);
      const time = standby ? replayedTime : clock;
      const writtenLsn = await awaitWritten(client, parts.slot, lsn, {
        ...{ ms: patienceMs, signal },
        sleep: async (ms) => await sleep(ms, undefined, { signal }),
      });
      if (writtenLsn !== undefined) await syncOpenSegment(folder);
      return {
        view: { time: time ?? clock, ...(await viewWal(client, parts.slot)) },
        ...(timeline !== undefined && { timeline }),
        ...(time !== undefined && { moment: { time, lsn } }),
        ...(writtenLsn !== undefined && { durableLsn: writtenLsn }),
      };
    },
    { signal },
  );
}
