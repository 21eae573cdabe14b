import { findSideFilesWithoutDump } from '../catalog/leftovers.ts';
import { FULL, labelOf } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { Storage } from '../storage/storage.ts';

/** What is younger may be somebody's at work. */
const AGE_MS = 24 * 60 * 60_000;
/** Of the time in a label: `YYYYMMDD_HHMMSS`. */
const STAMP_LENGTH = 15;

export interface SweepOldOptions {
  /** Configured ones: what others left is theirs. */
  readonly sources: readonly string[];
  /** All of them, each listed wholly. */
  readonly targets: readonly Storage[];
  readonly reports: readonly ReportPlace[];
  readonly now: Date;
  /** Something could not be swept; that ends nothing. */
  readonly onFailure: (target: string, error: BackupError) => void;
}

/**
 * Removes incomplete uploads, temporary files and side files without a dump, all older than a day, and returns their locations. Never
 * removes a dump or a manifest: a whole dump without its manifest may be all that is left of a night.
 */
export async function sweepOld(options: SweepOldOptions, signal: AbortSignal): Promise<string[]> {
  const { sources, targets, reports, now } = options;
  const before = new Date(now.getTime() - AGE_MS);
  const removed: string[] = [];
  const attempt = async (name: string, run: () => Promise<void>) => {
    try {
      await run();
    } catch (error) {
      signal.throwIfAborted();
      const failure = toBackupError(error);
      // A folder that no report was ever written to; a target that is missing could not have been listed.
      if (failure.code !== 'STORAGE_MISSING') options.onFailure(name, failure);
    }
  };
  const sweep = (storage: Storage, prefix: string) =>
    attempt(storage.name, async () => {
      for (const { key } of await storage.sweep(prefix, before, signal)) removed.push(storage.location(key));
    });

  for (const source of sources) {
    for (const { target: name, key } of await findSideFilesWithoutDump(targets, { source, signal })) {
      const target = targets.find((each) => each.name === name)!;
      await attempt(name, async () => {
        const found = await target.head(key, signal);
        if (found === undefined || found.modified >= before) return;
        await target.remove(key, signal);
        removed.push(target.location(key));
      });
    }
    // An underscore in another source's name would be percent-encoded: none begins like this one.
    for (const target of targets) {
      await sweep(target, FULL + labelOf(source, now).slice(0, -STAMP_LENGTH));
      await sweep(target, `${FULL}.${labelOf(source, now).slice(0, -STAMP_LENGTH)}`);
    }
  }
  for (const target of targets) await sweep(target, '.probe.');
  for (const { storage, prefix } of reports) await sweep(storage, `${prefix}.`);
  return removed;
}
