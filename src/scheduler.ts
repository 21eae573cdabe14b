import cron, { type ScheduledTask } from 'node-cron';
import type { Clock } from './clock.ts';
import { BackupError, toBackupError } from './errors.ts';
import type { Job, JobOutcome } from './jobs/job.ts';
import type { Log } from './log.ts';

export interface ScheduleEntry {
  readonly job: Job;
  /** Five fields, or six with seconds first. All of them must match: `0 4 1-7 * 0` is the first Sunday of a month. */
  readonly expression: string;
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

/** Told of the slots that no run was started for. What it returns is waited for when the scheduler is stopped. */
export type OnLostSlot = (job: Job, slot: Date, state: 'missed' | 'skipped', why: string) => Promise<void>;

export interface NextRun {
  readonly job: string;
  readonly source?: string;
  readonly schedule: string;
  readonly timeZone: string;
  /** `undefined` when the expression never matches again. */
  readonly next: Date | undefined;
}

export interface Scheduler {
  start(): void;
  /** When each job is due next; the same before and after `start`. */
  nextRuns(): readonly NextRun[];
  /**
   * Fires nothing more, aborts what is running with `reason` and waits for its end. Returns how the aborted runs ended.
   * May be called more than once.
   */
  stop(reason: BackupError): Promise<readonly JobOutcome[]>;
}

/** How far is looked ahead for the longest gap: a week, or a year of a monthly job. */
const AHEAD = { ms: 8 * 24 * 60 * 60_000, runs: 13 } as const;
/** A week of one every ten minutes. One that runs more often has no gap that matters beyond these. */
const RUNS_IN_A_WEEK = 1100;

/**
 * The longest time between one run and the next, ms, within the next days; `undefined` when there are no two runs. Not of the whole
 * year: a run in the hour that the clock skips in spring is left out, and that must not count all year round.
 */
export function longestGap(expression: string, timeZone: string): number | undefined {
  const runs = cron.createTask(expression, () => undefined, { timezone: timeZone }).getNextRuns(RUNS_IN_A_WEEK);
  const near = runs.filter((run, at) => at < AHEAD.runs || run.getTime() - runs[0]!.getTime() <= AHEAD.ms);
  const gaps = near.slice(1).map((run, at) => run.getTime() - near[at]!.getTime());
  return gaps.length === 0 ? undefined : Math.max(...gaps);
}

/** node-cron's own search for the next time, which it has only from now on in its public part. */
interface TimeMatcher {
  getNextMatch(from: Date): Date;
}

/**
 * The slots of a schedule later than `after` and not later than `until`: exactly the times at which {@link createScheduler} fires, found by
 * the same code. A time that the clock skips in spring is none; one that it has twice in autumn is one slot.
 */
export function* slotsBetween(
  { expression, timeZone }: Pick<ScheduleEntry, 'expression' | 'timeZone'>,
  after: Date,
  until: Date,
): Generator<Date> {
  // What node-cron does not take, such as a 30 February, never is.
  if (!cron.validate(expression)) return;
  const task = cron.createTask(expression, () => undefined, { timezone: timeZone });
  const { timeMatcher } = task as unknown as { readonly timeMatcher: TimeMatcher };
  for (let from = after; ;) {
    try {
      from = timeMatcher.getNextMatch(from);
    } catch {
      return; // It never matches again.
    }
    if (from > until) return;
    yield from;
  }
}

/**
 * Fires jobs at their times, each at most once at a time: a time that comes while the last run still goes on is skipped with
 * a warning. Throws `CONFIG_INVALID` for an expression that node-cron does not take.
 */
export function createScheduler(
  entries: readonly ScheduleEntry[],
  context: { clock: Clock; log: Log; onLostSlot?: OnLostSlot },
): Scheduler {
  const { clock, log, onLostSlot } = context;
  const telling = new Set<Promise<void>>();
  const abort = new AbortController();
  const running = new Set<Promise<JobOutcome>>();
  const tasks = entries.map((entry) => ({ entry, task: createTask(entry) }));
  let stopped: Promise<readonly JobOutcome[]> | undefined;

  return {
    start() {
      for (const { task } of tasks) void task.start();
    },
    nextRuns: () =>
      tasks.map(({ entry, task }) => ({
        ...namesOf(entry.job),
        schedule: entry.expression,
        timeZone: entry.timeZone,
        next: task.getNextRuns(1)[0],
      })),
    stop(reason) {
      stopped ??= (async () => {
        const last = [...running];
        abort.abort(reason);
        for (const { task } of tasks) await task.destroy();
        const ended = await Promise.all(last);
        await Promise.all(telling);
        return ended;
      })();
      return stopped;
    },
  };

  function createTask({ job, expression, timeZone }: ScheduleEntry): ScheduledTask {
    if (!cron.validate(expression)) {
      throw new BackupError(
        'CONFIG_INVALID',
        `the schedule of ${job.name} is not a cron expression: ${JSON.stringify(expression)}`,
        {
          hint: 'Five fields (minute hour day month weekday), or six with seconds first: "0 2 * * *" is every day at 02:00.',
        },
      );
    }
    const task = cron.createTask(expression, async ({ date }) => fire(job, date), {
      name: job.name,
      timezone: timeZone,
      noOverlap: true,
      logger: {
        info: () => undefined,
        debug: () => undefined,
        warn: (message) => log.warn(namesOf(job), message),
        error: (message) => log.error(namesOf(job), String(message)),
      },
      // Told below, once, in our own words.
      suppressMissedWarning: true,
    });
    task.on('execution:overlap', ({ date }) => {
      log.warn({ ...namesOf(job), slot: date.toISOString() }, 'skipped: the last run still goes on');
      lose(job, date, 'skipped', 'the last run still went on');
    });
    task.on('execution:missed', ({ date }) => {
      log.warn({ ...namesOf(job), slot: date.toISOString() }, 'missed: this process was busy, suspended or the clock was set');
      lose(job, date, 'missed', 'the daemon was busy or suspended, or its clock was set forward');
    });
    return task;
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
  async function fire(job: Job, slot: Date): Promise<void> {
    if (abort.signal.aborted) return;
    const run = job
      .run({ signal: abort.signal, log: log.child(namesOf(job)), clock, slot })
      .catch((error: unknown): JobOutcome => {
        const failure = toBackupError(error);
        log.error({ ...namesOf(job), err: failure }, 'the job broke');
        return { outcome: 'failure', exitStatus: failure.exitStatus };
      });
    running.add(run);
    await run;
    running.delete(run);
  }
}

function namesOf({ name, source }: Job): { readonly job: string; readonly source?: string } {
  return { job: name, ...(source !== undefined && { source }) };
}
