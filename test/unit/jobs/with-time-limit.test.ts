import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/clock.ts';
import { BackupError } from '../../../src/errors.ts';
import type { JobContext, JobOutcome } from '../../../src/jobs/job.ts';
import { withTimeLimit } from '../../../src/jobs/with-time-limit.ts';
import { createLog } from '../../../src/log.ts';

const LONG_MS = 24 * 60 * 60_000;

function context(signal = new AbortController().signal): JobContext {
  return { signal, log: createLog('silent'), clock: systemClock };
}

/** A job that would never end by itself, and says how it was ended. */
const endless = (limitMs: number) =>
  withTimeLimit(
    {
      name: 'endless',
      run: ({ signal }) =>
        new Promise<JobOutcome>((resolve) => {
          const end = () =>
            resolve({ outcome: 'aborted', exitStatus: 130, report: 'report.json', reason: String(signal.reason) });
          if (signal.aborted) end();
          else signal.addEventListener('abort', end);
        }),
    },
    limitMs,
  );

describe('A job with a time limit', () => {
  test('that takes longer is aborted, and that is a failure that says what to do', async () => {
    const outcome = await endless(1).run(context());
    expect(outcome).toMatchObject({
      ...{ outcome: 'failure', exitStatus: new BackupError('TIME_LIMIT', '').exitStatus, report: 'report.json' },
      error: {
        code: 'TIME_LIMIT',
        message: expect.stringContaining('longer than its limit'),
        hint: expect.stringContaining('limits'),
      },
      reason: expect.stringContaining('longer than its limit'),
    });
    expect(outcome.exitStatus).not.toBe(0);
  });

  test('that ends before has the outcome that it had', async () => {
    const own: JobOutcome = { outcome: 'incomplete', exitStatus: 3 };
    expect(await withTimeLimit({ name: 'quick', run: () => Promise.resolve(own) }, LONG_MS).run(context())).toBe(own);
    // One that made its backup although it was told to end has made it.
    const late = withTimeLimit(
      {
        name: 'late',
        run: ({ signal }) => new Promise<JobOutcome>((resolve) => signal.addEventListener('abort', () => resolve(own))),
      },
      1,
    );
    expect(await late.run(context())).toBe(own);
  });

  test('that is stopped by somebody else is aborted, and no failure', async () => {
    const stop = new AbortController();
    const run = endless(LONG_MS).run(context(stop.signal));
    stop.abort(new BackupError('ABORTED', 'stopped by SIGTERM'));
    expect(await run).toMatchObject({ outcome: 'aborted', exitStatus: 130, reason: expect.stringContaining('SIGTERM') });
  });

  test('lets go of the clock when the job throws', async () => {
    const broken = withTimeLimit({ name: 'broken', run: () => Promise.reject(new Error('a bug')) }, LONG_MS);
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await expect(broken.run(context())).rejects.toThrow('a bug');
    expect(timers()).toBe(before);
  });
});
