import { afterEach, describe, expect, test } from '@jest/globals';
import { BackupError } from '../../src/errors.ts';
import type { Job, JobOutcome } from '../../src/jobs/job.ts';
import { Turns } from '../../src/jobs/turns.ts';
import { withTurn } from '../../src/jobs/with-turn.ts';
import { createLog } from '../../src/log.ts';
import { createScheduler, type Scheduler } from '../../src/scheduler.ts';
import { FakeTime } from '../support/fake-time.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const SUCCESS: JobOutcome = { outcome: 'success', exitStatus: 0 };

let scheduler: Scheduler | undefined;

afterEach(() => scheduler?.stop(new BackupError('ABORTED', 'the test is over')));

/** A scheduler of one job. `events` has a line for each run and each slot without one. */
function scheduled(start: string, expression: string, options: { catchUpMs?: number; run?: () => Promise<JobOutcome> } = {}) {
  const time = new FakeTime(start);
  const events: string[] = [];
  const short = (date: Date | undefined) => date?.toISOString().slice(5, 16);
  const job: Job = {
    name: 'job',
    run: async ({ slot }) => {
      events.push(`run ${short(slot) ?? 'without slot'} at ${short(time.now())}`);
      return options.run?.() ?? SUCCESS;
    },
  };
  const made = createScheduler([{ job, expression, timeZone: 'UTC', catchUpMs: options.catchUpMs ?? DAY_MS }], {
    clock: time,
    timer: time,
    log: createLog('silent'),
    onLostSlot: async (_job, slot, state) => void events.push(`${state} ${short(slot)}`),
  });
  scheduler = made;
  return { time, events, job, scheduler: made };
}

describe('The scheduler', () => {
  test('runs a job at each of its times', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T00:00:00Z', '0 2 * * *');
    made.start();
    await time.pass(3 * DAY_MS);
    expect(events).toEqual([
      'run 03-01T02:00 at 03-01T02:00',
      'run 03-02T02:00 at 03-02T02:00',
      'run 03-03T02:00 at 03-03T02:00',
    ]);
  });

  test('takes up jobs and drops them while it runs, each from that moment on', async () => {
    const { time, events, job, scheduler: made } = scheduled('2026-03-01T00:00:00Z', '0 2 * * *');
    const runs: string[] = [];
    const other: Job = { name: 'other', run: async ({ slot }) => (runs.push(slot!.toISOString().slice(5, 16)), SUCCESS) };
    const [entry, added] = [
      { job, expression: '0 2 * * *', timeZone: 'UTC' },
      { job: other, expression: '45 9 * * * *', timeZone: 'UTC' },
    ];
    made.start();
    // Between two looks, with a slot before the next one.
    await time.pass(9 * 60_000 + 30_000);
    made.reschedule([entry, added]);
    await time.pass(16_000);
    expect(runs).toEqual(['03-01T00:09']);
    expect(made.nextRuns().map((next) => next.job)).toEqual(['job', 'other']);
    made.reschedule([entry]);
    await time.pass(HOUR_MS);
    made.reschedule([entry, added], new Date('2026-03-01T01:09:40Z'));
    await time.pass(1000);
    expect(runs).toEqual(['03-01T00:09', '03-01T01:09']);
    await time.pass(DAY_MS);
    expect(events).toEqual(['run 03-01T02:00 at 03-01T02:00']);
  });

  test('fires slots of the time before its start that nobody watched', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T02:00:10Z', '0 2 * * *');
    made.start({ since: new Date('2026-03-01T01:59:58Z') });
    await time.pass(HOUR_MS);
    expect(events).toEqual(['run 03-01T02:00 at 03-01T02:00']);
  });

  test('makes up for the newest slot that was slept through, once, and tells that it was missed', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T00:00:00Z', '0 2 * * *');
    made.start();
    await time.pass(HOUR_MS);
    time.suspend(3 * DAY_MS);
    await time.pass(HOUR_MS / 2);
    expect(events).toEqual(['missed 03-03T02:00', 'run 03-03T02:00 at 03-04T01:01']);
    await time.pass(HOUR_MS);
    expect(events.slice(2)).toEqual(['run 03-04T02:00 at 03-04T02:00']);
  });

  test('makes up for nothing that is too old', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T00:00:00Z', '0 2 * * *', { catchUpMs: HOUR_MS });
    made.start();
    time.suspend(4 * HOUR_MS);
    await time.pass(HOUR_MS);
    expect(events).toEqual(['missed 03-01T02:00']);
  });

  test('runs no slot twice when the clock is set back', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T01:30:00Z', '0 2 * * *');
    made.start();
    await time.pass(HOUR_MS);
    for (const clock of ['2026-03-01T01:59:59Z', '2026-03-01T01:00:00Z']) {
      time.setClock(clock);
      await time.pass(2 * HOUR_MS);
    }
    expect(events).toEqual(['run 03-01T02:00 at 03-01T02:00']);
    await time.pass(DAY_MS);
    expect(events).toHaveLength(2);
  });

  test('goes on every night after a clock that was a year ahead is set right', async () => {
    const { time, events, scheduler: made } = scheduled('2026-03-01T01:00:00Z', '0 2 * * *');
    made.start();
    time.setClock('2027-03-01T12:00:00Z');
    await time.pass(HOUR_MS);
    expect(events.splice(0)).toEqual(['missed 03-01T02:00', 'run 03-01T02:00 at 03-01T12:01']);
    time.setClock('2026-03-01T02:30:00Z');
    await time.pass(2 * DAY_MS);
    expect(events.splice(0)).toEqual(['run 03-02T02:00 at 03-02T02:00', 'run 03-03T02:00 at 03-03T02:00']);
    // Also when that night comes in truth: the run in the wrong year was another one.
    time.setClock('2027-02-28T12:00:00Z');
    await time.pass(DAY_MS);
    expect(events.at(-1)).toBe('run 03-01T02:00 at 03-01T02:00');
  });

  test('skips a slot while the last run goes on', async () => {
    let end: () => void = () => undefined;
    const run = () => new Promise<JobOutcome>((resolve) => (end = () => resolve(SUCCESS)));
    const { time, events, scheduler: made } = scheduled('2026-03-01T00:30:00Z', '0 * * * *', { run });
    made.start();
    await time.pass(2 * HOUR_MS);
    end();
    await time.pass(HOUR_MS);
    end();
    expect(events).toEqual(['run 03-01T01:00 at 03-01T01:00', 'skipped 03-01T02:00', 'run 03-01T03:00 at 03-01T03:00']);
  });

  test('takes no run that waits for its turn for one that is at work', async () => {
    const turns = new Turns(1);
    const time = new FakeTime('2026-03-01T00:30:00Z');
    const whys: string[] = [];
    const job = withTurn({ name: 'job', run: async () => SUCCESS }, { turns, claims: [], evidence: undefined });
    const made = createScheduler([{ job, expression: '0 * * * *', timeZone: 'UTC' }], {
      clock: time,
      timer: time,
      log: createLog('silent'),
      onLostSlot: async (_job, slot, state, why) => void whys.push(`${state} ${slot.toISOString().slice(11, 16)}: ${why}`),
    });
    scheduler = made;
    const other = await turns.take([], new AbortController().signal);
    made.start();
    await time.pass(2 * HOUR_MS);
    expect(whys).toEqual(['skipped 02:00: the run of the slot before still waited for its turn']);
    other!.release();
    await time.pass(HOUR_MS);
    expect(whys).toHaveLength(1);
  });

  test('runs what is due at its start, in turn, without another run for that slot', async () => {
    const { time, events, job, scheduler: made } = scheduled('2026-03-01T02:00:30Z', '0 2 * * *');
    const slot = new Date('2026-03-01T02:00:00Z');
    made.start();
    made.makeUp([{ job, slot, why: 'missed', afterMs: 60_000 }]);
    await time.pass(30_000);
    expect(events).toEqual([]);
    await time.pass(40_000);
    expect(events).toEqual(['run 03-01T02:00 at 03-01T02:01']);
    time.setClock('2026-03-01T01:59:00Z');
    await time.pass(HOUR_MS);
    expect(events).toHaveLength(1);
  });

  test('leaves alone what is due at its start when a slot comes first, and what has run before the start', async () => {
    const { time, events, job, scheduler: made } = scheduled('2026-03-01T01:59:30Z', '0 2 * * *');
    const slot = new Date('2026-02-28T02:00:00Z');
    made.start({ ran: [{ job, slot: new Date('2026-03-02T02:00:00Z') }] });
    made.makeUp([{ job, slot, why: 'missed', afterMs: 60_000 }]);
    await time.pass(HOUR_MS);
    expect(events).toEqual(['run 03-01T02:00 at 03-01T02:00']);
    await time.pass(DAY_MS);
    expect(events).toHaveLength(1);
  });

  test('fires nothing after it was stopped', async () => {
    const { time, events, job, scheduler: made } = scheduled('2026-03-01T00:00:00Z', '0 2 * * *');
    made.start();
    made.makeUp([{ job, why: 'none', afterMs: 60_000 }]);
    await made.stop(new BackupError('ABORTED', 'stopped'));
    await time.pass(DAY_MS);
    expect(events).toEqual([]);
  });
});
