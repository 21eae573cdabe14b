import type { Parts } from '../assemble.ts';
import { parseLsn } from '../catalog/lsn.ts';
import { BackupError } from '../errors.ts';
import { attempted } from '../jobs/attempted.ts';
import { recoverableWindows } from '../jobs/plan-recovery.ts';
import type { DueRun, ScheduleEntry } from '../scheduler.ts';

/** A target that hangs is not waited for. */
const LISTING_MS = 5 * 60_000;

/**
 * A physical backup, due now, where nothing of the WAL that comes could be recovered before the next one of the schedule: all of it before
 * `lsn` is here. As all that is due although it is no slot, none where nothing is made up for.
 */
export async function firstBase(
  parts: Pick<Parts, 'config' | 'recovery'>,
  entries: readonly ScheduleEntry[],
  lsn: string,
  signal: AbortSignal,
): Promise<DueRun[]> {
  const { name } = parts.config.source;
  const entry = entries.find(({ job }) => job.name === 'base-backup' && job.source === name);
  if (!entry?.catchUpMs || (await reaches(parts.recovery, lsn, signal))) return [];
  return [{ job: entry.job, why: `no physical backup of ${name} was seen from which what comes can be recovered`, afterMs: 0 }];
}

/** Whether there is a physical backup from which the WAL goes on up to `lsn`. Where not all targets answer, each is asked by itself. */
async function reaches(recovery: Parts['recovery'], lsn: string, signal: AbortSignal): Promise<boolean> {
  for (const targets of [recovery.targets, ...recovery.targets.map((target) => [target])]) {
    const found = await attempted(async (own) => await recoverableWindows({ ...recovery, targets }, {}, own), LISTING_MS, signal);
    if (found instanceof BackupError) continue;
    if (found.windows.some(({ toLsn }) => parseLsn(toLsn) >= parseLsn(lsn))) return true;
    if (targets === recovery.targets) return false;
  }
  return false;
}
