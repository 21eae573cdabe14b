import { describe, expect, test } from '@jest/globals';
import { dueAtStart, type JobAtStart } from '../../../src/schedule/due-at-start.ts';

const NIGHT = new Date('2026-03-01T02:00:00Z');
const RULES = { staggerMs: 1000 };

function backup(source: string, facts: Omit<JobAtStart<string>, 'job' | 'source'>): JobAtStart<string> {
  return { job: `backup of ${source}`, source, ...facts };
}

describe('At its start the daemon', () => {
  test('runs nothing when nothing was missed', () => {
    expect(dueAtStart([backup('a', { goodBackup: 'yes' }), { job: 'clean-up', source: 'a' }], RULES)).toEqual([]);
  });

  test('backs up a source that has no good backup, whatever was missed', () => {
    const [run, ...rest] = dueAtStart([backup('a', { goodBackup: 'none' })], RULES);
    expect({ run, rest }).toEqual({ run: { job: 'backup of a', why: 'a has no good backup', afterMs: 0 }, rest: [] });
    // It makes up for the slot, too.
    expect(dueAtStart([backup('a', { goodBackup: 'none', owed: NIGHT })], RULES)).toMatchObject([{ slot: NIGHT }]);
  });

  test('backs up when it cannot know whether there is a backup', () => {
    expect(dueAtStart([backup('a', { goodBackup: 'unknown' })], RULES)).toMatchObject([
      { job: 'backup of a', why: expect.stringContaining('not every target') },
    ]);
  });

  test('makes up for the slot that was missed, each job by itself', () => {
    const jobs = [
      backup('a', { goodBackup: 'yes', owed: NIGHT }),
      { job: 'clean-up', source: 'a', owed: NIGHT },
      { job: 'drill', source: 'a' },
    ];
    expect(dueAtStart(jobs, RULES)).toMatchObject([
      { job: 'backup of a', slot: NIGHT, why: expect.stringContaining('2026-03-01T02:00:00.000Z') },
      { job: 'clean-up', slot: NIGHT },
    ]);
  });

  test('gives each source its turn, those without a backup first', () => {
    const jobs = [
      backup('a', { goodBackup: 'yes', owed: NIGHT }),
      backup('b', { goodBackup: 'yes' }),
      backup('c', { goodBackup: 'none' }),
      { job: 'drill of a', source: 'a', owed: NIGHT },
      backup('d', { goodBackup: 'yes', owed: NIGHT }),
    ];
    expect(dueAtStart(jobs, RULES).map(({ job, afterMs }) => [job, afterMs])).toEqual([
      ['backup of c', 0],
      ['backup of a', 1000],
      ['drill of a', 1000],
      ['backup of d', 2000],
    ]);
  });
});
