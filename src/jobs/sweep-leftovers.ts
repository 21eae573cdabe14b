import { cleanLeftovers } from '../catalog/leftovers.ts';
import { FULL } from '../catalog/names.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { Storage } from '../storage/storage.ts';

/** Where a `probe` writes for a moment, and how the temporary names of reports begin. */
const PROBE = '.probe.';
const REPORT = '.backup_report_';

export interface SweepOptions {
  /** The targets that can be asked. */
  readonly usable: readonly Storage[];
  /**
   * Whether those are all. Side files without a dump are looked for only then: the dump may be whole on a target that
   * cannot be asked.
   */
  readonly complete: boolean;
  readonly reports: readonly ReportPlace[];
  /** What was begun later is left alone. */
  readonly before: Date;
}

/**
 * Removes what killed runs of this job left; only while holding the lock. Returns the locations of what it removed.
 * Never removes a dump or a manifest.
 */
export async function sweepLeftovers(
  { usable, complete, reports, before }: SweepOptions,
  signal: AbortSignal,
): Promise<string[]> {
  const sweep = async (storage: Storage, prefix: string) =>
    (await storage.sweep(prefix, before, signal)).map(({ key }) => storage.location(key));
  const removed: string[] = [];
  if (complete) {
    for (const { target, key } of await cleanLeftovers(usable, before, signal)) {
      removed.push(usable.find(({ name }) => name === target)!.location(key));
    }
  }
  for (const target of usable) {
    if (!complete) removed.push(...(await sweep(target, FULL)));
    removed.push(...(await sweep(target, PROBE)));
  }
  // Of the places of reports only those that are known to answer: the others must not end a backup.
  for (const { storage, prefix } of reports)
    if (usable.includes(storage)) removed.push(...(await sweep(storage, prefix + REPORT)));
  return removed;
}
