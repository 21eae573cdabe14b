import { describe, expect, test } from '@jest/globals';

import { headlines } from '../../../bench/result/headlines.ts';
import { targets, type Target } from '../../../bench/result/targets.ts';
import { benchResult, toolResult, workResult } from '../../support/sample-result.ts';

const dump = workResult(
  'dump',
  toolResult('pg-dump-gzip', 'peer', [26, 27, 28], { bytes: 200e6 }),
  toolResult('pg-dump-directory', 'peer', [16]),
  toolResult('pg-dump-directory-1', 'peer', [9], { bytes: 180e6 }),
  toolResult('ours', 'ours', [9, 10, 11], { bytes: 200e6, treeBytes: 300e6 }),
  toolResult('ours-gzip-6', 'ours', [15]),
  toolResult('ours-zstd', 'ours', [7], { bytes: 180e6 }),
  toolResult('ours-zstd-1', 'ours', [7.2], { bytes: 181e6 }),
  toolResult('ours-without-digest', 'ours', [9.6], { treeBytes: 900e6 }),
  toolResult('limit-zstd', 'limit', [6.5]),
  toolResult('limit-pigz', 'limit', [16]),
  toolResult('limit-gzip', 'limit', [13.6]),
);
const restore = workResult('restore', toolResult('psql', 'peer', [20]), toolResult('ours', 'ours', [8], { treeBytes: 351e6 }));
const one = benchResult(1, [dump, restore]);
const four = benchResult(4, [workResult('dump', toolResult('ours', 'ours', [42], { treeBytes: 310e6 }))]);

function find(list: readonly Target[], what: string): Target {
  const found = list.filter((target) => target.what.includes(what));
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe('the targets', () => {
  const list = targets(one, four);

  test('are met at the bound, and say the figure', () => {
    expect(find(list, 'our default, against `pg_dump \\| gzip`')).toMatchObject({ reached: '2.70×, size 1.00', met: true });
    expect(find(list, 'gzip at level 6')).toMatchObject({ reached: '1.80×', met: true });
  });

  test('stay in the list when they are not met', () => {
    expect(find(list, '-Fd -j2` at its default')).toMatchObject({ reached: '1.60×', met: false });
  });

  test('are not met when the time is but the size is not', () => {
    expect(find(list, '-Fd -j2 -Z1')).toMatchObject({ reached: '1.25×, size 1.01', met: false });
  });

  test('measure gzip by the faster compressor', () => {
    expect(find(list, 'over the limit')).toMatchObject({ reached: 'zstd 1.11, gzip 1.10', met: false });
  });

  test('are not measured, rather than met, when a part of them was not', () => {
    expect(find(list, 'row digest on')).toMatchObject({ reached: 'gzip 1.04', met: undefined });
    expect(find(list, 'small tables')).toMatchObject({ reached: '', met: undefined });
    expect(find(list, 'pg_restore')).toMatchObject({ reached: '', met: undefined });
    expect(find(list, 'time, 4 GB')).toMatchObject({ reached: 'dump 4.20', met: undefined });
    expect(targets(undefined, undefined).every(({ met, reached }) => met === undefined && reached === '')).toBe(true);
  });

  test('take the highest memory of what can be chosen, over all works', () => {
    expect(find(list, 'peak memory, all processes')).toMatchObject({ reached: '351 MB', met: false });
    expect(find(list, 'peak memory, 4 GB')).toMatchObject({ reached: 'dump 1.03' });
  });
});

test('the headlines are the ratios of our default, as far as they were measured', () => {
  expect(headlines(one)).toEqual([
    { work: 'dump', than: '`pg_dump | gzip`', times: 2.7 },
    { work: 'dump', than: '`pg_dump -Fd -j2`', times: 1.6 },
    { work: 'restore', than: '`gunzip | psql`', times: 2.5 },
  ]);
});
