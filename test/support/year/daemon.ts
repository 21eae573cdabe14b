import { setImmediate as settle } from 'node:timers/promises';
import { dueRuns, ranBefore } from '../../../src/assemble/at-start.ts';
import type { Timer } from '../../../src/clock.ts';
import { BackupError } from '../../../src/errors.ts';
import { Evidence } from '../../../src/jobs/evidence.ts';
import type { Job } from '../../../src/jobs/job.ts';
import { Turns } from '../../../src/jobs/turns.ts';
import { withEvidence } from '../../../src/jobs/with-evidence.ts';
import { withTurn } from '../../../src/jobs/with-turn.ts';
import { createLog } from '../../../src/log.ts';
import { createScheduler, slotsBetween, type Scheduler, type ScheduleEntry } from '../../../src/scheduler.ts';
import type { Awake, SeenRun } from './account.ts';
import { jobsOf, type Nap } from './jobs.ts';
import type { World } from './world.ts';

const SOURCE = 'shop';

/** One life of the daemon: what main.ts puts together, with jobs that take their time and dump nothing. */
export class SimulatedDaemon {
  readonly #world: World;
  readonly #timer: Timer;
  #alive = true;
  /** Runs that are at work now, and not waiting for time to pass. */
  #busy = 0;
  #rested: () => void = () => undefined;
  /** Something has been begun since everybody was last seen to rest. Most minutes of a year nothing is. */
  #stirred = true;
  readonly #log = createLog('silent');
  readonly #scheduler: Scheduler;
  readonly #evidence: Evidence;
  readonly #entries: readonly ScheduleEntry[];
  #awake: Awake;

  private constructor(world: World) {
    const { time, account, config, openLedger, reports } = world;
    this.#world = world;
    this.#timer = { after: (ms, run) => time.after(ms, () => this.#alive && run()) };
    this.#evidence = new Evidence({ ledger: openLedger(), reports: [reports], slotsBetween, redact: (text) => text });
    this.#awake = { from: time.now().getTime(), to: Infinity };
    account.awake.push(this.#awake);
    const turns = new Turns(1);
    const looks = new Turns(1);
    const { backup, cleanup, drill, health, timeZone, catchUpMs } = config.schedule;
    const jobs = jobsOf(world, this.#nap);
    this.#entries = [
      { job: this.#around(jobs.nightlyBackup, turns), expression: backup, timeZone, catchUpMs },
      { job: this.#around(jobs.weeklyCleanup, turns), expression: cleanup, timeZone, catchUpMs },
      { job: this.#around(jobs.restoreDrill, turns), expression: drill, timeZone, catchUpMs },
      { job: this.#around(jobs.healthCheck, looks), expression: health, timeZone },
    ];
    this.#scheduler = createScheduler(this.#entries, {
      ...{ clock: time, log: this.#log, timer: this.#timer },
      onLostSlot: async (job, slot, state, why) => {
        this.#stirred = true;
        this.#busy += 1;
        await this.#evidence.enter({ job: job.name, source: job.source, slot, state, why });
        this.#rest();
      },
    });
  }

  static async start(world: World): Promise<SimulatedDaemon> {
    const daemon = new SimulatedDaemon(world);
    await daemon.#begin();
    return daemon;
  }

  async #begin(): Promise<void> {
    const { config, targets } = this.#world;
    const schedules = this.#entries.map(({ job, expression, timeZone }) => ({
      ...{ job: job.name, source: SOURCE, expression, timeZone },
    }));
    const beginning = await this.#evidence.begin(schedules, '1.0.0');
    this.#scheduler.start({ since: beginning.time, ran: ranBefore(this.#entries, beginning) });
    const due = await dueRuns({
      ...{ sources: [{ config, targets }], entries: this.#entries, beginning, now: beginning.time },
      ...{ staggerMs: config.schedule.staggerMs, signal: new AbortController().signal },
    });
    this.#scheduler.makeUp(due);
    await this.settled();
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.#world.time.pass(ms, () => this.settled());
  }

  /** The machine sleeps. */
  async suspend(ms: number): Promise<void> {
    const { time, account } = this.#world;
    this.#awake.to = time.now().getTime();
    time.suspend(ms);
    this.#awake = { from: time.now().getTime(), to: Infinity };
    account.awake.push(this.#awake);
    await this.settled();
  }

  /** SIGTERM: everybody comes to an end. */
  async stop(): Promise<void> {
    this.#ended();
    await this.#scheduler.stop(new BackupError('ABORTED', 'stopped by SIGTERM'));
    this.#alive = false;
  }

  /** SIGKILL: whatever was going on never goes on. */
  kill(): void {
    this.#ended();
    this.#alive = false;
  }

  #ended(): void {
    this.#awake.to = this.#world.time.now().getTime();
  }

  #rest(): void {
    this.#busy -= 1;
    if (this.#busy === 0) this.#rested();
  }

  async settled(): Promise<void> {
    if (!this.#stirred) return;
    // A run that has just been begun, or may go on, counts itself in before this is looked at.
    for (;;) {
      await settle();
      if (this.#busy === 0) break;
      await new Promise<void>((resolve) => (this.#rested = resolve));
    }
    this.#stirred = false;
  }

  readonly #nap: Nap = (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      this.#rest();
      const abort = () => {
        cancel();
        this.#busy += 1;
        reject(signal.reason as Error);
      };
      const cancel = this.#timer.after(ms, () => {
        signal.removeEventListener('abort', abort);
        this.#stirred = true;
        this.#busy += 1;
        resolve();
      });
      signal.addEventListener('abort', abort, { once: true });
    });

  #around(inner: Job, turns: Turns): Job {
    const job = { ...inner, source: SOURCE };
    const counted: Job = {
      ...job,
      run: async (context) => {
        this.#busy += 1;
        try {
          return await withEvidence(job, this.#evidence, this.#world.targets).run(context);
        } finally {
          this.#rest();
        }
      },
    };
    const turned = withTurn(counted, { turns, claims: [{ name: `source ${SOURCE}`, atMost: 1 }], evidence: this.#evidence });
    return {
      ...job,
      run: async (context) => {
        const { time, account } = this.#world;
        const seen: SeenRun = { job: job.name, slot: context.slot?.getTime(), fired: time.now().getTime() };
        account.runs.push(seen);
        this.#stirred = true;
        const outcome = await turned.run(context);
        seen.ended = { at: time.now().getTime(), outcome: outcome.outcome };
        return outcome;
      },
    };
  }
}
