import { expect, test } from '@jest/globals';
import { jobLines } from '../../../src/cli/job-lines.ts';

const schedule = (job: string) => ({ job, source: 'shop', expression: '0 2 * * *', timeZone: 'UTC' });

test('A line for each job says how its last run ended, when the next one is, and why a slot since then had none', () => {
  const lines = jobLines([
    {
      ...{ schedule: schedule('nightly-backup'), next: new Date('2026-01-05T02:00:00Z') },
      last: { state: 'done', result: 'incomplete', at: new Date('2026-01-03T02:00:01Z') },
      passedOver: {
        ...{ slot: new Date('2026-01-04T02:00:00Z'), state: 'skipped', at: new Date('2026-01-04T02:00:00Z') },
        why: 'the last run still went on',
      },
    },
    { schedule: schedule('restore-drill') },
  ]);
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['JOB', 'LAST RUN', 'OUTCOME', 'NEXT (if the daemon runs)'],
    [
      ...['nightly-backup', '2026-01-03 02:00:01 UTC', 'incomplete', '2026-01-05 02:00:00 UTC'],
      '2026-01-04 02:00:00 UTC was skipped: the last run still went on',
    ],
    ['restore-drill', 'never', '-', 'never'],
  ]);
});
