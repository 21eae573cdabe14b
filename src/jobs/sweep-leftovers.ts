import { findSideFilesWithoutDump } from '../catalog/leftovers.ts';
import { FULL, labelOf } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { HEADS } from '../report/ledger-heads.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { Storage } from '../storage/storage.ts';

/** Where a `probe` writes for a moment, and how the temporary names of reports begin. */
const PROBE = '.probe.';
const REPORT = '.backup_report_';
/** Of the time in a label: `YYYYMMDD_HHMMSS`. */
const STAMP_LENGTH = 15;

/** What no lock of ours covers and does not carry our source's name may be somebody else's at work, unless it is this old. */
const SHARED_AGE_MS = 20 * 3_600_000;

export interface SweepOptions {
  /** Only side files and uploads of this source are looked for; others share a bucket with us. */
  readonly source: string;
  /** The targets that can be asked. */
  readonly usable: readonly Storage[];
  /** The one among them that runs lock. */
  readonly locked: Storage | undefined;
  /** Whether that lock keeps runs of all sources away, so that nobody else writes to it, or only those of this one. */
  readonly alone: boolean;
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
  const { source, usable, complete, reports, started } = options;
  const locked = options.alone ? options.locked : undefined;
  const removed: string[] = [];
  const longAgo = new Date(started.getTime() - SHARED_AGE_MS);
  const attempt = async (name: string, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      signal.throwIfAborted();
      options.onFailure(name, toBackupError(error));
    }
  };
  const sweep = (storage: Storage, prefix: string, before: Date) =>
    attempt(storage.name, async () => {
      const swept = await storage.sweep(prefix, before, signal);
      removed.push(...swept.map(({ key }) => storage.location(key)));
    });

  if (complete) {
    for (const { target: name, key } of await sideFiles()) {
      const target = usable.find((each) => each.name === name)!;
      await attempt(name, async () => {
        await target.remove(key, signal);
        removed.push(target.location(key));
      });
    }
  }
  // No label of another source begins like ours: an underscore in its name would be percent-encoded.
  const ours = labelOf(source, started).slice(0, -STAMP_LENGTH);
  for (const target of usable) {
    await sweep(target, target === locked ? FULL : FULL + ours, started);
    // The temporary files of ours on a disk.
    if (target === options.locked && target !== locked) await sweep(target, `${FULL}.${ours}`, started);
    await sweep(target, PROBE, target === locked ? started : longAgo);
    await sweep(target, HEADS, target === locked ? started : longAgo);
  }
  // Of the places of reports only those that are known to answer: the others only cost time.
  for (const { storage, prefix, underLock } of reports) {
    if (underLock === true || usable.includes(storage))
      await sweep(storage, prefix + REPORT, underLock === true && options.alone ? started : longAgo);
  }
  return removed;

  async function sideFiles() {
    let found: Awaited<ReturnType<typeof findSideFilesWithoutDump>> = [];
    await attempt(usable.map(({ name }) => name).join(', '), async () => {
      found = await findSideFilesWithoutDump(usable, { source, signal });
    });
    return found;
  }
}
