import { describe, expect, test } from '@jest/globals';
import { statusScreen, type Standing } from '../../../src/cli/status-screen.ts';

const MINUTE = 60_000;
const now = new Date('2026-01-05T12:00:00Z');
const ago = (minutes: number) => new Date(now.getTime() - minutes * MINUTE);

function standing(at: number, changes: Partial<Standing> = {}): Standing {
  return {
    ...{ source: `all.db${String(at).padStart(2, '0')}`, problems: [], newest: ago(at + 1), lossMs: (at + 1) * MINUTE },
    ...{ rpoMs: 60 * MINUTE, restoreMs: at * MINUTE, rtoMs: 30 * MINUTE, since: ago(1000 + at), provenAt: ago(2000 + at) },
    ...{ next: new Date(now.getTime() + (at + 1) * MINUTE), lastRun: 'success' },
    ...changes,
  };
}

const fifty = (change: (at: number) => Partial<Standing> = () => ({})) =>
  Array.from({ length: 50 }, (_, at) => standing(at, change(at)));
const screen = (rows: readonly Standing[], all = false, more: { passedOver?: string[]; gone?: string[] } = {}) => {
  const problems = rows.flatMap((row) => row.problems as string[]);
  return statusScreen({ rows, problems, passedOver: [], gone: [], ...more }, all, now);
};

describe('The status of fifty sources', () => {
  test('is one line with the worst of each column when all is well', () => {
    const lines = screen(fifty());
    expect(lines).toHaveLength(4);
    expect(lines[0]).toBe('All is well with 50 sources.');
    expect(lines[2]!.split(/ {2,}/)).toEqual([
      ...['50 others', 'well', '50 min ago', '34 h ago', '50 min of 60 min', '49 min of 30 min'],
      ...['2026-01-04 19:20:00 UTC', '2026-01-05 12:01:00 UTC', 'success'],
    ]);
  });

  test('says of how many nothing is proven yet', () => {
    const rows = fifty().map(({ provenAt, ...row }, at) => (at < 3 ? { ...row, provenAt: provenAt! } : row));
    expect(screen(rows)[2]).toContain('47 never');
  });

  test('names those that need a look first, and fits a screen whatever is wrong', () => {
    const two = screen(fifty((at) => (at === 7 || at === 31 ? { problems: [`all.db${at}: it failed`] } : {})));
    expect(two.slice(2, 5).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['all.db07', 'LOOK'],
      ['all.db31', 'LOOK'],
      ['48 others', 'well'],
    ]);
    expect(two).toContain('Attention: all.db31: it failed');

    const names = Array.from({ length: 9 }, (_, at) => `x${at}`);
    const all = screen(
      fifty(() => ({ problems: ['a', 'b'] })),
      false,
      { passedOver: names, gone: names },
    );
    const most = screen(
      fifty((at) => (at > 0 ? { problems: ['a', 'b'] } : {})),
      false,
      { passedOver: names, gone: names },
    );
    for (const lines of [all, most]) expect(lines.length).toBeLessThanOrEqual(24);
    expect(most.join('\n')).toContain('… and 43 more sources that need a look');
  });

  test('has a line for each, and all problems, when that is asked for', () => {
    const lines = screen(
      fifty((at) => (at % 2 === 0 ? { problems: [`${at} failed`] } : {})),
      true,
    );
    expect(lines.filter((line) => line.startsWith('all.db'))).toHaveLength(50);
    expect(lines.filter((line) => line.startsWith('Attention: '))).toHaveLength(26);
    expect(lines.join('\n')).not.toContain('others');
  });
});

test('A dozen sources have a line each', () => {
  const lines = screen(fifty().slice(0, 12));
  expect(lines.filter((line) => line.startsWith('all.db'))).toHaveLength(12);
});
