import { findSideFilesWithoutDump } from '../catalog/leftovers.ts';
import { FULL, labelOf } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { Storage } from '../storage/storage.ts';

/** Where a `probe` writes for a moment, and how the temporary names of reports begin. */
const PROBE = '.probe.';
const REPORT = '.backup_report_';
/** Of the time in a label: `YYYYMMDD_HHMMSS`. */
const STAMP_LENGTH = 15;

/**
 * On a target that no lock of ours covers a run of somebody else may be at work: only what was begun so long ago is a leftover.
 * Less than a day, so that what a nightly run left is found by the next one.
 */
const SHARED_AGE_MS = 20 * 3_600_000;

export interface SweepOptions {
  /** Only side files and uploads of this source are looked for; others share a bucket with us. */
  readonly source: string;
  /** The targets that can be asked. */
  readonly usable: readonly Storage[];
  /** The one among them whose lock we hold: nobody else writes to it. */
  readonly locked: Storage | undefined;
  /**
   * Whether `usable` is all there are. Side files without a dump are looked for only then: the dump may be whole on a target
   * that cannot be asked.
   */
  readonly complete: boolean;
  readonly reports: readonly ReportPlace[];
  /** When this run began. */
  readonly started: Date;
  /** A target could not be swept, or not wholly; that ends nothing. */
  readonly onFailure: (target: string, error: BackupError) => void;
}

/**
 * Removes what killed runs of this job left; only while holding the lock. Returns the locations of what it removed.
 * Never removes a dump or a manifest.
 */
export async function sweepLeftovers(options: SweepOptions, signal: AbortSignal): Promise<string[]> {
  const { source, usable, locked, complete, reports, started } = options;
  const removed: string[] = [];
  const limit = (storage: Storage) => (storage === locked ? started : new Date(started.getTime() - SHARED_AGE_MS));
  const attempt = async (name: string, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      signal.throwIfAborted();
      options.onFailure(name, toBackupError(error));
    }
  };
  const sweep = (storage: Storage, prefix: string) =>
    attempt(storage.name, async () => {
      const swept = await storage.sweep(prefix, limit(storage), signal);
      removed.push(...swept.map(({ key }) => storage.location(key)));
    });

  if (complete) {
    for (const { target: name, key } of await sideFiles()) {
      const target = usable.find((each) => each.name === name)!;
      await attempt(name, async () => {
        if (target !== locked) {
          const found = await target.head(key, signal);
          if (!found || found.modified >= limit(target)) return;
        }
        await target.remove(key, signal);
        removed.push(target.location(key));
      });
    }
  }
  for (const target of usable) {
    // No label of another source begins like ours: an underscore in its name would be percent-encoded.
    await sweep(target, target === locked ? FULL : FULL + labelOf(source, started).slice(0, -STAMP_LENGTH));
    await sweep(target, PROBE);
  }
  // Of the places of reports only those that are known to answer: the others only cost time.
  for (const { storage, prefix } of reports) if (usable.includes(storage)) await sweep(storage, prefix + REPORT);
  return removed;

  async function sideFiles() {
    let found: Awaited<ReturnType<typeof findSideFilesWithoutDump>> = [];
    await attempt(usable.map(({ name }) => name).join(', '), async () => {
      found = await findSideFilesWithoutDump(usable, { source, signal });
    });
    return found;
  }
}
