import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { BackupError } from '../../src/errors.ts';
import type { Job, JobContext, JobOutcome } from '../../src/jobs/job.ts';
import { createLog } from '../../src/log.ts';
import { createScheduler, longestGap, slotsBetween } from '../../src/scheduler.ts';

const EVERY_SECOND = '* * * * * *';
const STOP = new BackupError('ABORTED', 'stopped by a test');

function logTo(lines: Record<string, unknown>[]) {
  return createLog('info', { destination: { write: (line) => lines.push(JSON.parse(line)) } });
}

function jobThat(run: (context: JobContext) => Promise<JobOutcome>): Job {
  return { name: 'job', run };
}

/** A job that runs until it is aborted. */
function endless(started: () => void): Job {
  return jobThat(async ({ signal }) => {
    started();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return { outcome: 'aborted', exitStatus: 130 };
  });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

describe('The scheduler', () => {
  test('knows when each job is due next, in its time zone', () => {
    const job = endless(() => undefined);
    const next = (timeZone: string) =>
      createScheduler([{ job, expression: '0 2 * * *', timeZone }], { clock: systemClock, log: logTo([]) }).nextRuns()[0]!;
    expect(next('UTC').next?.toISOString()).toMatch(/T02:00:00\.000Z$/);
    expect(next('Asia/Tokyo').next?.toISOString()).toMatch(/T17:00:00\.000Z$/);
  });

  test.each([
    ['0 2 * * *', 24],
    ['0 2 * * 1-5', 72],
    ['0 8-17 * * *', 15],
    ['*/10 * * * *', 1 / 6],
    ['* * * * * *', 1 / 3600],
  ])('knows the longest gap of %s', (expression, hours) => {
    expect(longestGap(expression, 'UTC')).toBe(hours * 60 * 60_000);
  });

  test.each([
    ['0 2 * * *', 'UTC', '2026-01-01T02:00:00Z', '2026-01-03T02:00:00Z', ['2026-01-02T02:00', '2026-01-03T02:00']],
    [
      '0 4 1-7 * 0',
      'UTC',
      '2026-01-01T00:00:00Z',
      '2026-03-01T12:00:00Z',
      ['2026-01-04T04:00', '2026-02-01T04:00', '2026-03-01T04:00'],
    ],
    // 02:30 is skipped on 29 March, and comes twice on 25 October; the first counts.
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T00:00:00Z',
      '2026-03-30T12:00:00Z',
      ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
    ['30 1 * * *', 'America/New_York', '2026-10-31T12:00:00Z', '2026-11-02T12:00:00Z', ['2026-11-01T05:30', '2026-11-02T06:30']],
    ['0 0 30 2 *', 'UTC', '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z', []],
  ])('knows the slots of %s in %s between two times', (expression, timeZone, after, until, slots) => {
    const found = [...slotsBetween({ expression, timeZone }, new Date(after), new Date(until))];
    expect(found.map((slot) => slot.toISOString())).toEqual(slots.map((slot) => `${slot}:00.000Z`));
  });

  test('refuses an expression that can never be', () => {
    const entry = { job: endless(() => undefined), expression: '61 * * * *', timeZone: 'UTC' };
    expect(() => createScheduler([entry], { clock: systemClock, log: logTo([]) })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('61 * * * *') }),
    );
  });

  test('tells a job its slot, and skips a slot while the last run goes on, saying so', async () => {
    const lines: Record<string, unknown>[] = [];
    let slot: Date | undefined;
    let runs = 0;
    const lost: string[] = [];
    const job = jobThat(async (context) => {
      slot = context.slot;
      runs += 1;
      await until(() => lines.some(({ msg }) => String(msg).startsWith('skipped')));
      return { outcome: 'success', exitStatus: 0 };
    });
    const scheduler = createScheduler([{ job, expression: EVERY_SECOND, timeZone: 'UTC' }], {
      clock: systemClock,
      log: logTo(lines),
      onLostSlot: async ({ name }, time, state) => {
        // Whoever stops the scheduler waits for what is told.
        await sleep(50);
        lost.push(`${name} ${time.getMilliseconds()} ${state}`);
      },
    });
    scheduler.start();
    await until(() => lines.some(({ msg }) => String(msg).startsWith('skipped')));
    expect(runs).toBe(1);
    expect(slot?.getMilliseconds()).toBe(0);
    await scheduler.stop(STOP);
    expect(lost).toEqual(['job 0 skipped']);
  });

  test('aborts what runs when it is stopped, waits for its end and fires no more', async () => {
    let runs = 0;
    const job = endless(() => (runs += 1));
    const scheduler = createScheduler([{ job, expression: EVERY_SECOND, timeZone: 'UTC' }], {
      clock: systemClock,
      log: logTo([]),
    });
    scheduler.start();
    await until(() => runs > 0);
    expect(await scheduler.stop(STOP)).toEqual([{ outcome: 'aborted', exitStatus: 130 }]);
    expect(await scheduler.stop(STOP)).toHaveLength(1);
    await sleep(1_100);
    expect(runs).toBe(1);
  });

  test('goes on after a job that broke', async () => {
    const lines: Record<string, unknown>[] = [];
    let runs = 0;
    const job = jobThat(() => {
      runs += 1;
      return Promise.reject(new Error('a bug'));
    });
    const scheduler = createScheduler([{ job, expression: EVERY_SECOND, timeZone: 'UTC' }], {
      clock: systemClock,
      log: logTo(lines),
    });
    scheduler.start();
    await until(() => runs === 2);
    await scheduler.stop(STOP);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', msg: 'the job broke' }));
  });
});
