import cron from 'node-cron';
import { systemTimer, type Clock, type Timer } from './clock.ts';
import { BackupError, toBackupError } from './errors.ts';
import type { Job, JobOutcome } from './jobs/job.ts';
import type { Log } from './log.ts';
import { Slots, type Pattern } from './schedule/slots.ts';
import { TimeZone } from './schedule/time-zone.ts';
import { HandledSlots } from './schedule/handled-slots.ts';
import { TimedCalls } from './schedule/timed-calls.ts';

export interface ScheduleEntry {
  readonly job: Job;
  /** Five fields, or six with seconds first. All of them must match: `0 4 1-7 * 0` is the first Sunday of a month. */
  readonly expression: string;
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
  /** How late a slot that was missed is still made up for; by default not at all. */
  readonly catchUpMs?: number;
}

/** Told of the slots that no run was started for at their time. What it returns is waited for when the scheduler is stopped. */
export type OnLostSlot = (job: Job, slot: Date, state: 'missed' | 'skipped', why: string) => Promise<void>;

export interface NextRun {
  readonly job: string;
  /** Absent of a job that is for all sources. */
  readonly source?: string;
  readonly schedule: string;
  readonly timeZone: string;
  /** `undefined` when the expression never matches again. */
  readonly next: Date | undefined;
}

/** A run that is due although now is no slot of its job. */
export interface DueRun {
  readonly job: Job;
  /** The slot that it makes up for. */
  readonly slot?: Date;
  readonly why: string;
  /** How long from now it begins. */
  readonly afterMs: number;
}

export interface Scheduler {
  /** Fires what is due from `since` on (by default now), except for slots that `ran` already. */
  start(options?: { readonly since?: Date; readonly ran?: readonly { readonly job: Job; readonly slot: Date }[] }): void;
  /** Watches these entries from now on, and no others; what runs goes on. Slots after `since` (by default now) are seen to. */
  reschedule(entries: readonly ScheduleEntry[], since?: Date): void;
  /** Runs what is due although now is no slot, each at its time, unless its job is run before that. To be called after `start`. */
  makeUp(due: readonly DueRun[]): void;
  /** When each job is due next; the same before and after `start`. */
  nextRuns(): readonly NextRun[];
  /**
   * Fires nothing more, aborts what is running with `reason` and waits for its end. Returns how the aborted runs ended.
   * May be called more than once.
   */
  stop(reason: BackupError): Promise<readonly JobOutcome[]>;
}

export interface SchedulerContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly onLostSlot?: OnLostSlot;
  readonly timer?: Timer;
}

/** A run that begins so late is on time: this process was busy. */
const ON_TIME_MS = 60_000;
/** The clock is looked at so often: it may be set, and the machine may have been suspended. */
const LOOK_MS = 60_000;
/** How far is looked ahead for the longest gap: a week, or a year of a monthly job. */
const AHEAD = { ms: 8 * 24 * 60 * 60_000, runs: 13 } as const;
/** A week of one every ten minutes. One that runs more often has no gap that matters beyond these. */
const RUNS_IN_A_WEEK = 1100;

/** The longest time between one run and the next, ms, as long as clocks run evenly; `undefined` when there are no two runs. */
export function longestGap(expression: string, timeZone: string): number | undefined {
  const slots = slotsOf(expression, timeZone);
  if (!slots) return undefined;
  const runs: number[] = [];
  // Of a leap year, for those who run on the 29th of February; at its beginning nobody sets clocks.
  for (let at = slots.next(Date.UTC(2024, 0, 1)); at !== undefined && runs.length < RUNS_IN_A_WEEK; at = slots.next(at)) {
    if (runs.length >= AHEAD.runs && at - runs[0]! > AHEAD.ms) break;
    runs.push(at);
  }
  const gaps = runs.slice(1).map((run, at) => run - runs[at]!);
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

/** The slots of a schedule later than `after` and not later than `until`: exactly those for which {@link createScheduler} fires. */
export function* slotsBetween(
  { expression, timeZone }: Pick<ScheduleEntry, 'expression' | 'timeZone'>,
  after: Date,
  until: Date,
): Generator<Date> {
  const slots = slotsOf(expression, timeZone);
  for (const slot of slots?.between(after.getTime(), until.getTime()) ?? []) yield new Date(slot);
}

/** When a schedule is due next after a time; `undefined`: never. */
export function nextSlot(schedule: Pick<ScheduleEntry, 'expression' | 'timeZone'>, after: Date): Date | undefined {
  const next = slotsOf(schedule.expression, schedule.timeZone)?.next(after.getTime());
  return next === undefined ? undefined : new Date(next);
}

/** `undefined` for what node-cron does not take, such as a 30 February: it never is. */
function slotsOf(expression: string, timeZone: string): Slots | undefined {
  if (!cron.validate(expression)) return undefined;
  // The configuration takes no `L`, `W` and `#`, the only fields that are no numbers.
  return new Slots(cron.parse(expression) as Pattern, new TimeZone(timeZone));
}

/** A job that is being watched. */
interface Watch {
  readonly entry: ScheduleEntry;
  readonly slots: Slots;
  readonly handled: HandledSlots;
  /** Slots up to here are settled. */
  until: number;
  /** The first one after that. */
  next: number | undefined;
  running: boolean;
  /** That run has not had its turn yet. */
  waits: boolean;
  /** Something has been run since the start. */
  ran: boolean;
}

/**
 * Fires jobs at their times, each at most once at a time and once for a slot: a slot that comes while the last run still goes on is skipped
 * with a warning; one that is seen late (this process was suspended, or its clock was set forward) is missed, and the newest of those
 * is made up for within its `catchUpMs`. A clock that is set back fires no slot a second time within a day. Throws `CONFIG_INVALID` for an
 * expression that node-cron does not take.
 */
export function createScheduler(entries: readonly ScheduleEntry[], context: SchedulerContext): Scheduler {
  const { clock, log, onLostSlot, timer = systemTimer } = context;
  const telling = new Set<Promise<void>>();
  const abort = new AbortController();
  const running = new Set<Promise<JobOutcome>>();
  let watches = entries.map(watchOf);
  const calls = new TimedCalls(timer);
  /** Takes the next look back; absent before the start. */
  let cancelLook: (() => void) | undefined;
  let stopped: Promise<readonly JobOutcome[]> | undefined;

  return {
    start({ since = clock.now(), ran = [] } = {}) {
      for (const watch of watches) {
        settle(watch, since.getTime());
        for (const { job, slot } of ran) if (job === watch.entry.job) watch.handled.add(slot.getTime());
      }
      look();
    },
    reschedule(others, since = clock.now()) {
      watches = others.map((entry) => {
        const known = watches.find(({ entry: { job } }) => job === entry.job);
        const watch = known ?? watchOf(entry);
        if (!known) settle(watch, since.getTime());
        return watch;
      });
      if (cancelLook) look();
    },
    makeUp(due) {
      for (const run of due) {
        const watch = watches.find(({ entry }) => entry.job === run.job);
        if (watch && !abort.signal.aborted) calls.after(run.afterMs, () => makeUp(watch, run));
      }
    },
    nextRuns: () =>
      watches.map(({ entry, slots }) => {
        const next = slots.next(clock.now().getTime());
        return {
          ...{ ...namesOf(entry.job), schedule: entry.expression, timeZone: entry.timeZone },
          next: next === undefined ? undefined : new Date(next),
        };
      }),
    stop(reason) {
      stopped ??= (async () => {
        const last = [...running];
        abort.abort(reason);
        calls.end();
        const ended = await Promise.all(last);
        await Promise.all(telling);
        return ended;
      })();
      return stopped;
    },
  };

  function watchOf(entry: ScheduleEntry): Watch {
    const slots = slotsOf(entry.expression, entry.timeZone);
    if (!slots) {
      const { job, expression } = entry;
      throw new BackupError(
        'CONFIG_INVALID',
        `the schedule of ${job.name} is not a cron expression: ${JSON.stringify(expression)}`,
        {
          hint: 'Five fields (minute hour day month weekday), or six with seconds first: "0 2 * * *" is every day at 02:00.',
        },
      );
    }
    return {
      entry,
      slots,
      handled: new HandledSlots(clock),
      until: 0,
      next: undefined,
      running: false,
      waits: false,
      ran: false,
    };
  }

  function settle(watch: Watch, until: number): void {
    watch.until = until;
    watch.next = watch.slots.next(until);
  }

  /** Handles what has become due, and comes back for the next one. */
  function look(): void {
    cancelLook?.();
    const now = clock.now().getTime();
    let wait = LOOK_MS;
    for (const watch of watches) {
      if (now < watch.until) settle(watch, now);
      else if (watch.next !== undefined && watch.next <= now) {
        const newest = watch.slots.last(watch.until, now)!;
        settle(watch, now);
        if (watch.handled.add(newest)) handle(watch, newest, now - newest);
      }
      if (watch.next !== undefined) wait = Math.min(wait, watch.next - now);
    }
    cancelLook = calls.after(wait, look);
  }

  function handle(watch: Watch, slot: number, lateMs: number): void {
    const { job } = watch.entry;
    const date = new Date(slot);
    const facts = { ...namesOf(job), slot: date.toISOString() };
    if (watch.running) {
      // The run that waits comes later than this slot: nothing overlaps, and one run is enough for both.
      const why = watch.waits ? 'the run of the slot before still waited for its turn' : 'the last run still went on';
      log.warn(facts, `skipped: ${why}`);
      lose(job, date, 'skipped', why);
    } else if (lateMs <= ON_TIME_MS) fire(watch, date);
    else {
      const madeUp = lateMs <= (watch.entry.catchUpMs ?? 0);
      log.warn(facts, `missed: this process was suspended or its clock was set${madeUp ? '; the run is made up for' : ''}`);
      lose(job, date, 'missed', 'the daemon was busy or suspended, or its clock was set forward');
      if (madeUp) fire(watch, date);
    }
  }

  function makeUp(watch: Watch, { slot, why }: DueRun): void {
    const facts = { ...namesOf(watch.entry.job), ...(slot && { slot: slot.toISOString() }) };
    if (watch.ran) {
      log.info(facts, 'nothing to make up for any more: the job has been run meanwhile');
      return;
    }
    log.info({ ...facts, why }, 'due although it is no slot');
    if (slot) watch.handled.add(slot.getTime());
    fire(watch, slot);
  }

  function lose(job: Job, slot: Date, state: 'missed' | 'skipped', why: string): void {
    if (!onLostSlot) return;
    const told = onLostSlot(job, slot, state, why)
      .catch((error: unknown) => {
        log.error(
          { ...namesOf(job), slot: slot.toISOString(), err: toBackupError(error) },
          `a ${state} slot is not in the ledger`,
        );
      })
      .finally(() => telling.delete(told));
    telling.add(told);
  }

  /** A job reports its own failures; one that throws has a bug, which must not end the daemon. */
  function fire(watch: Watch, slot: Date | undefined): void {
    const { job } = watch.entry;
    Object.assign(watch, { running: true, waits: false, ran: true });
    const onWait = (waits: boolean): void => void (watch.waits = waits);
    const run = job
      .run({ signal: abort.signal, log: log.child(namesOf(job)), clock, onWait, ...(slot && { slot }) })
      .catch((error: unknown): JobOutcome => {
        const failure = toBackupError(error);
        log.error({ ...namesOf(job), err: failure }, 'the job broke');
        return { outcome: 'failure', exitStatus: failure.exitStatus };
      })
      .finally(() => {
        running.delete(run);
        watch.running = false;
      });
    running.add(run);
  }
}

function namesOf({ name, source }: Job): { readonly job: string; readonly source?: string } {
  return { job: name, ...(source !== undefined && { source }) };
}
