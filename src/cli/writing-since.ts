import type { Config } from '../config.ts';
import { workFolder } from '../jobs/work-area.ts';
import { lockHeldSince } from '../storage/lock-holder.ts';

/** Since when a run holds the lock under which backups are written; `undefined` when none does. */
export async function writingSince({ targets, paths }: Config): Promise<Date | undefined> {
  return await lockHeldSince(targets.local?.directory ?? workFolder(paths.work));
}
