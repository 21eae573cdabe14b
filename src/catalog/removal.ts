import type { Storage } from '../storage/storage.ts';
import { SIDE } from './names.ts';

/**
 * Keys beside a dump in the order they are written: side files, the dump, and last the manifest, which makes it a backup.
 * A process killed anywhere in between leaves side files without a dump (leftovers) or a dump without a manifest (`unindexed`).
 */
export function writeOrder(dump: string): readonly string[] {
  return [dump + SIDE.toc, dump + SIDE.globals, dump, dump + SIDE.manifest];
}

/**
 * Removes a backup from one target. The marker comes first and goes last, the manifest goes before what it describes:
 * wherever it is interrupted, the rest is not listed as good, and calling it again finishes the work.
 */
export async function removeBackup(target: Storage, dump: string, signal?: AbortSignal): Promise<void> {
  const marker = dump + SIDE.expired;
  await target.put(marker, { open: async function* () {}, replayable: true, size: 0 }, signal);
  for (const key of [dump + SIDE.manifest, dump + SIDE.toc, dump + SIDE.globals, dump, marker]) await target.remove(key, signal);
}
