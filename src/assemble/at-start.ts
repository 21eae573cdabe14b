import type { Parts } from '../assemble.ts';
import { isGood } from '../catalog/backup.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import { covers } from '../config/choose-source.ts';
import type { Beginning } from '../jobs/evidence.ts';
import type { Job } from '../jobs/job.ts';
import { jobName } from '../report/ledger-entry.ts';
import { runHistory } from '../report/run-history.ts';
import { dueAtStart, type JobAtStart } from '../schedule/due-at-start.ts';
import { nextSlot, slotsBetween, type DueRun, type ScheduleEntry } from '../scheduler.ts';

const BACKUP = 'nightly-backup';

/** A target that hangs is not waited for. */
const LISTING_MS = 5 * 60_000;

export interface AtStartParts {
  readonly sources: readonly Pick<Parts, 'config' | 'targets'>[];
  readonly entries: readonly ScheduleEntry[];
  /** What the ledger said; undefined where there is none or it could not be read. */
  readonly beginning: Beginning | undefined;
  readonly now: Date;
  readonly staggerMs: number;
  readonly signal: AbortSignal;
}

/** What is to be run now although it is no slot, by the ledger and by the backups that there are. */
export async function dueRuns(parts: AtStartParts): Promise<DueRun[]> {
  const { sources, entries, beginning, now, staggerMs, signal } = parts;
  const listings = new Map<string, Promise<Listing>>();
  const jobs: JobAtStart<Job>[] = [];
  for (const { job, expression, timeZone, catchUpMs = 0 } of entries) {
    if (catchUpMs === 0) continue;
    const schedule = { ...jobOf(job), expression, timeZone };
    const options = { now, nextSlot, slotsBetween, owedWithinMs: catchUpMs };
    const owed = runHistory(beginning?.entries ?? [], [schedule], options)[0]?.owed;
    const source = sources.find(({ config }) => config.source.name === job.source);
    const base = { job, source: job.source ?? '' };
    if (job.name !== BACKUP || !source) {
      jobs.push({ ...base, ...(owed && { owed }) });
      continue;
    }
    const backups = await backupsOf(source, listings, signal);
    // Without a ledger the backups themselves say which night has none.
    const slot = owed ?? (beginning ? undefined : [...slotsBetween(schedule, new Date(now.getTime() - catchUpMs), now)].at(-1));
    const isMissed = slot !== undefined && (beginning !== undefined || !backups.newest || backups.newest < slot);
    jobs.push({ ...base, goodBackup: backups.good, ...(isMissed && { owed: slot }) });
  }
  return dueAtStart(jobs, { staggerMs });
}

/** Runs that the ledger has for times that are still to come: the clock was set back. */
export function ranBefore(entries: readonly ScheduleEntry[], beginning: Beginning): { readonly job: Job; readonly slot: Date }[] {
  return beginning.entries.flatMap((entry) => {
    if (entry.kind !== 'job' || entry.slot === undefined || !['done', 'failed'].includes(entry.state)) return [];
    const slot = new Date(entry.slot);
    const job = entries.find((each) => jobName(jobOf(each.job)) === jobName(entry))?.job;
    return job && slot > beginning.time ? [{ job, slot }] : [];
  });
}

/** Of each job the newest slot that was missed before the start, and how many there were. */
export function missedBefore(
  entries: readonly ScheduleEntry[],
  { missed }: Beginning,
): { readonly job: Job; readonly slot: Date; readonly why: string }[] {
  return entries.flatMap(({ job, catchUpMs }) => {
    const own = missed.filter((entry) => jobName(entry) === jobName(jobOf(job)));
    const last = own.at(-1);
    // What is not made up for, such as a look at how things stand, is done at the start anyway.
    if (!last || catchUpMs === undefined) return [];
    const count = own.reduce((sum, { slots = 1 }) => sum + slots, 0);
    const more = count > 1 ? ` (and ${count - 1} before it)` : '';
    return [{ job, slot: new Date(last.through ?? last.slot!), why: `${last.why ?? 'the daemon was down'}${more}` }];
  });
}

function jobOf({ name, source }: Job): { readonly job: string; readonly source?: string } {
  return { job: name, ...(source !== undefined && { source }) };
}

async function backupsOf(
  { config, targets }: Pick<Parts, 'config' | 'targets'>,
  listings: Map<string, Promise<Listing>>,
  signal: AbortSignal,
): Promise<{ readonly good: 'yes' | 'none' | 'unknown'; readonly newest?: Date }> {
  const where = targets.map((target) => target.location('x')).join('\n');
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LISTING_MS)]);
  if (!listings.has(where)) listings.set(where, listBackups(targets, { allowUnreachable: true, signal: limited }));
  try {
    const { backups, unreachable } = await listings.get(where)!;
    const newest = backups.find((backup) => covers(config, backup.source) && isGood(backup));
    if (newest) return { good: 'yes', newest: newest.started };
    return { good: unreachable.length > 0 ? 'unknown' : 'none' };
  } catch (error) {
    if (signal.aborted) throw error;
    return { good: 'unknown' };
  }
}
