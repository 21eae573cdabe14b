import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { createForEachDatabase, type Series } from '../../../src/jobs/each-database.ts';
import type { JobContext, JobOutcome } from '../../../src/jobs/job.ts';
import { createLog } from '../../../src/log.ts';

const MINUTE = 60_000;
const FOUR = ['a', 'b', 'c', 'd'];

/** Drills that take twenty minutes each, of databases that were drilled in this order before. */
function drills(budgetMs: number, outcomes: Record<string, JobOutcome['outcome']> = {}, abort = new AbortController()) {
  let now = 0;
  const drilled: string[] = [];
  const series: Series = {
    budgetMs,
    order: async (databases) => databases.toSorted((x, y) => drilled.lastIndexOf(x) - drilled.lastIndexOf(y)),
  };
  const job = createForEachDatabase({
    ...{ name: 'restore-drill', source: 'all', series },
    discover: async () => ({ databases: FOUR, gone: [], warnings: [] }),
    jobOf: (database) => ({
      name: 'restore-drill',
      async run() {
        now += 20 * MINUTE;
        drilled.push(database);
        const outcome = outcomes[database] ?? 'success';
        if (outcome === 'aborted') abort.abort(new BackupError('ABORTED', 'stopped'));
        return { outcome, exitStatus: outcome === 'success' ? 0 : 1 };
      },
    }),
  });
  const context: JobContext = {
    ...{ signal: abort.signal, log: createLog('silent') },
    clock: { now: () => new Date(now), monotonic: () => now },
  };
  return { drilled, run: () => job.run(context) };
}

describe('Drills of every database of a server', () => {
  test('are all made, one after the other, when there is no limit of time', async () => {
    const { drilled, run } = drills(0);
    expect(await run()).toEqual({ outcome: 'success', exitStatus: 0 });
    expect(drilled).toEqual(FOUR);
  });

  test('are left for the next time when the time is over, and then those that were left come first', async () => {
    const { drilled, run } = drills(40 * MINUTE, { a: 'failure' });
    expect(await run()).toMatchObject({
      outcome: 'failure',
      reason: expect.stringMatching(/1 of 2 .*left for the next time: c, d$/),
    });
    // One that failed has had its turn.
    expect(await run()).toEqual({ outcome: 'success', exitStatus: 0, reason: 'left for the next time: a, b' });
    await run();
    expect(drilled).toEqual(['a', 'b', 'c', 'd', 'a', 'b']);
  });

  test('are one at least, however little time there is', async () => {
    const { drilled, run } = drills(1);
    for (let night = 0; night < 4; night += 1) await run();
    expect(drilled).toEqual(FOUR);
  });

  test('that are stopped end there, and not well', async () => {
    const { drilled, run } = drills(0, { b: 'aborted' });
    expect(await run()).toMatchObject({ outcome: 'aborted', reason: expect.stringContaining('left for the next time: c, d') });
    expect(drilled).toEqual(['a', 'b']);
    const early = new AbortController();
    early.abort(new BackupError('ABORTED', 'stopped'));
    expect(await drills(0, {}, early).run()).toMatchObject({ outcome: 'aborted' });
  });
});
