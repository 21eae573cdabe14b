import type { Config } from '../config.ts';
import { lockPathOf } from '../jobs/directory-lock.ts';
import { workFolder } from '../jobs/work-area.ts';
import { lockHeldSince } from '../storage/lock-holder.ts';

/** Since when a run holds the lock under which backups are written; `undefined` when none does. */
export async function writingSince({ source, targets, paths }: Config): Promise<Date | undefined> {
  const directory = targets.local?.directory ?? workFolder(paths.work);
  return await lockHeldSince(source.listed ? lockPathOf(directory, source.name) : directory);
}
