import { setTimeout as sleep } from 'node:timers/promises';
import type { WalMoment } from '../catalog/wal-meta.ts';
import type { Clock } from '../clock.ts';
import { toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import type { WalArchive } from '../wal/wal-archive.ts';
import type { StreamWatch } from './wal-watch.ts';

interface StoreParts {
  readonly archive: WalArchive;
  readonly target: Storage;
  /** How often the open segment is copied as well; absent: never. */
  readonly openEveryMs: number | undefined;
}

interface StoreContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether the target may be given anything; throws while it may not. */
  readonly prepare: () => Promise<void>;
}

/** Looking for what is new. */
const PASS_MS = 500;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 10_000;
/** While the source says nothing new of its clock the open segment is copied after so many intervals. */
const LATE = 2;
/** The same failure is told again after so long. */
const TOLD_AGAIN_MS = 10 * 60_000;

/**
 * Gives a target all WAL that comes, until the signal. One that fails is tried again, with growing pauses, and holds up no other: what it
 * lacks stays where it was received. Throws only when the target holds the WAL of another server.
 */
export async function keepStored(parts: StoreParts, watch: StreamWatch, context: StoreContext): Promise<void> {
  const { archive, target, openEveryMs } = parts;
  const { signal, clock, log } = context;
  let pauseMs = FIRST_PAUSE_MS;
  let toldAt: number | undefined;
  let copied: WalMoment | undefined;
  let copiedAt = -Infinity;
  while (!signal.aborted) {
    try {
      await context.prepare();
      await archive.store(target, signal);
      const { newest } = archive.moments;
      if (openEveryMs !== undefined && (newest !== copied || clock.monotonic() - copiedAt >= LATE * openEveryMs)) {
        const isStored = newest !== undefined && newest !== copied && archive.hasFinished(target, newest);
        [copied, copiedAt] = [newest, clock.monotonic()];
        if (!isStored) await archive.copyOpenSegment(target, signal);
      }
      watch.took(target);
      [pauseMs, toldAt] = [FIRST_PAUSE_MS, undefined];
      await sleep(PASS_MS, undefined, { signal }).catch(() => undefined);
    } catch (error) {
      if (isAborted(signal)) return;
      const failure = toBackupError(error);
      if (failure.code === 'SOURCE_CHANGED') throw failure;
      watch.refused(target, failure);
      const now = clock.monotonic();
      if (toldAt === undefined || now - toldAt >= TOLD_AGAIN_MS) {
        toldAt = now;
        log.warn(
          { target: target.name, ...errorReport(failure) },
          'WAL is not stored on a target yet; it is kept and tried again',
        );
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
}

/** Asked anew after each wait. */
function isAborted({ aborted }: AbortSignal): boolean {
  return aborted;
}
