import type { Storage } from '../storage/storage.ts';
import { SIDE } from './names.ts';

/**
 * Keys beside a dump in the order they are written: side files, the dump, and last the manifest, which makes it a backup.
 * A process killed anywhere in between leaves side files without a dump (leftovers) or a dump without a manifest (`unindexed`).
 */
export function writeOrder(dump: string): readonly string[] {
  return [dump + SIDE.toc, dump + SIDE.globals, dump, dump + SIDE.manifest];
}

/** Keys beside a dump in the order they are removed: the manifest goes before what it describes. */
function removalOrder(dump: string): readonly string[] {
  return [dump + SIDE.manifest, dump + SIDE.toc, dump + SIDE.globals, dump + SIDE.pin, dump];
}

export interface RemovalOptions {
  /**
   * Asked once the marker stands, and before anything is gone: whether the backup is still to be removed. Who pins a backup looks for the
   * marker after writing the pin, so one of the two always sees the other. If not, the marker is taken away again. What has no dump
   * any more is past staying.
   */
  readonly confirm?: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

/**
 * Removes a backup from one target; says whether it did. The marker comes first and goes last, the manifest goes before what it
 * describes: wherever it is interrupted, the rest is not listed as good, and calling it again finishes the work.
 *
 * The marker stands for as long as the removal is not finished, whatever else is left, and only this takes it away: so each copy counts as
 * removed once, in the run that takes its marker.
 */
export async function removeBackup(target: Storage, dump: string, options: RemovalOptions = {}): Promise<boolean> {
  const { confirm, signal } = options;
  const marker = dump + SIDE.expired;
  await target.put(marker, { open: async function* () {}, replayable: true, size: 0 }, signal);
  if (confirm && !(await confirm()) && (await target.head(dump, signal)) !== undefined) {
    await target.remove(marker, signal);
    return false;
  }
  for (const key of [...removalOrder(dump), marker]) await target.remove(key, signal);
  return true;
}
