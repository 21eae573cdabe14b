import { setTimeout as sleep } from 'node:timers/promises';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { withClient } from '../postgres/connection.ts';
import { sampleWal } from '../postgres/replication.ts';
import { awaitFlush, viewWal } from '../postgres/wal-view.ts';
import type { SourceView } from '../wal/stream-state.ts';
import type { SlotParts } from './wal-slot.ts';

/** One look at the source. */
export interface SourceSample {
  readonly view: SourceView;
  /** It counts once WAL up to its place is here. */
  readonly moment: WalMoment;
  /** Up to where it is durable here, by what the receiver told the source. */
  readonly flushedLsn?: string;
}

/** Notes the source's clock, and waits for `patienceMs` at most until the WAL of that moment is durable here. */
export async function sampleSource(parts: SlotParts, patienceMs: number, signal: AbortSignal): Promise<SourceSample> {
  return await withClient(
    parts.connection,
    async (client) => {
      const moment = await sampleWal(client, true);
      const flushedLsn = await awaitFlush(client, parts.slot, moment.lsn, {
        ...{ ms: patienceMs, signal },
        sleep: async (ms) => await sleep(ms, undefined, { signal }),
      });
      const view = { time: moment.time, ...(await viewWal(client, parts.slot)) };
      return { view, moment, ...(flushedLsn !== undefined && { flushedLsn }) };
    },
    { signal },
  );
}
