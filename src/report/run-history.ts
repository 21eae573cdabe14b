import {
  jobName,
  type JobDraft,
  type LedgerEntry,
  type ScheduledJob,
  type SlotsBetween,
  type SlotState,
} from './ledger-entry.ts';

/** A run, or a slot that had none. */
export interface PastSlot {
  /** When it was due; absent for a run by hand. */
  readonly slot?: Date;
  readonly state: SlotState;
  /** What the job said: `success`, `incomplete`, `failure`, … */
  readonly result?: string;
  /** When it began or, of a slot without a run, when that was found. */
  readonly at: Date;
  /** Why it is not a success, or why there was no run. */
  readonly why?: string;
}

/** What became of one scheduled job, by its ledger, and what comes next. */
export interface JobHistory {
  readonly schedule: ScheduledJob;
  /** The newest run that ended, by hand or not. */
  readonly last?: PastSlot;
  /** The newest run that was a success. */
  readonly lastSuccess?: PastSlot;
  /** The newest slot without a run, if no run has begun since: it was missed or skipped, and `why`. */
  readonly passedOver?: PastSlot;
  /** The newest slot, within `owedWithinMs`, that nothing was run for: the daemon was down, or was ended during that run. */
  readonly owed?: Date;
  /** `undefined` when it is never due again. */
  readonly next?: Date;
}

export interface HistoryOptions {
  readonly now: Date;
  /** When a schedule is due next after a time. */
  readonly nextSlot: (schedule: ScheduledJob, after: Date) => Date | undefined;
  readonly slotsBetween: SlotsBetween;
  /** How old a slot may be that is owed. */
  readonly owedWithinMs: number;
}

/**
 * What `backup-manager status` shows of each job, and what the daemon decides by when it starts. Pure: knows nothing but the entries and the
 * schedules. A time from which on the entries know no schedule of the job is not looked at: nothing was due then.
 */
export function runHistory(
  entries: readonly LedgerEntry[],
  schedules: readonly ScheduledJob[],
  options: HistoryOptions,
): JobHistory[] {
  return schedules.map((schedule) => {
    const own = entries.flatMap((entry) => (entry.kind === 'job' && isOf(entry, schedule) ? [entry] : []));
    const runs = own.filter(isRun);
    const last = runs.at(-1);
    const lastSuccess = runs.findLast(({ result, state }) => state === 'done' && (result ?? 'success') === 'success');
    const without = own.findLast((entry) => !isRun(entry));
    const passedOver = without && (!last || startOf(last) < dueOf(without)!) ? without : undefined;
    const owed = owedSlot(entries, own, schedule, options);
    const next = options.nextSlot(schedule, options.now);
    return {
      schedule,
      ...(last && { last: pastSlot(last) }),
      ...(lastSuccess && { lastSuccess: pastSlot(lastSuccess) }),
      ...(passedOver && { passedOver: pastSlot(passedOver) }),
      ...(owed && { owed }),
      ...(next && { next }),
    };
  });
}

type JobEntry = Extract<LedgerEntry, JobDraft>;

function isOf(entry: JobDraft, schedule: ScheduledJob): boolean {
  return jobName(entry) === jobName(schedule);
}

function isRun({ state }: JobDraft): boolean {
  return state === 'done' || state === 'failed' || state === 'aborted';
}

/** The slot that an entry is about, also when another one has it already. */
function dueOf({ slot, due, through }: JobDraft): Date | undefined {
  const text = through ?? slot ?? due;
  return text === undefined ? undefined : new Date(text);
}

function startOf(entry: JobEntry): Date {
  return new Date(entry.startedAt ?? entry.time);
}

/** A run that was aborted has made nothing. One that failed has been tried, and a slot that was skipped had a run at work. */
function owedSlot(
  entries: readonly LedgerEntry[],
  own: readonly JobEntry[],
  schedule: ScheduledJob,
  { now, slotsBetween, owedWithinMs }: HistoryOptions,
): Date | undefined {
  const since = scheduledSince(entries, schedule);
  if (!since) return undefined;
  const from = new Date(Math.max(since.getTime(), now.getTime() - owedWithinMs));
  let newest: Date | undefined;
  for (const slot of slotsBetween(schedule, from, now)) newest = slot;
  if (!newest) return undefined;
  const settled = own.some((entry) => {
    if (entry.state === 'missed' || entry.state === 'aborted') return false;
    const due = dueOf(entry);
    return due?.getTime() === newest.getTime() || (entry.state === 'done' && startOf(entry) >= newest);
  });
  return settled ? undefined : newest;
}

/** Since when this schedule holds without a break, by the entries. */
function scheduledSince(entries: readonly LedgerEntry[], wanted: ScheduledJob): Date | undefined {
  let since: string | undefined;
  for (const entry of entries) {
    if (entry.kind !== 'schedule') continue;
    const holds = entry.schedules.some((each) => isSameSchedule(each, wanted));
    since = holds ? (since ?? entry.time) : undefined;
  }
  return since === undefined ? undefined : new Date(since);
}

function isSameSchedule(a: ScheduledJob, b: ScheduledJob): boolean {
  return jobName(a) === jobName(b) && a.expression === b.expression && a.timeZone === b.timeZone;
}

function pastSlot(entry: JobEntry): PastSlot {
  const { state, result, why } = entry;
  const slot = dueOf(entry);
  return {
    ...(slot && { slot }),
    state,
    ...(result !== undefined && { result }),
    at: startOf(entry),
    ...(why !== undefined && { why }),
  };
}
