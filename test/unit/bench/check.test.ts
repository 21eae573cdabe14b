import { describe, expect, test } from '@jest/globals';

import { compare, comparisonLines } from '../../../bench/result/check.ts';
import type { BenchResult } from '../../../bench/result/result.ts';
import { benchResult, toolResult, workResult } from '../../support/sample-result.ts';

function run(peer: number, ours: number, bytes = 100): BenchResult {
  const tools = [toolResult('peer', 'peer', [peer]), toolResult('ours', 'ours', [ours], { bytes })];
  return benchResult(1, [workResult('dump', ...tools, toolResult('files', 'physical', [ours]))]);
}

describe('comparing with the committed run', () => {
  test('a slower machine is no fall: ratios count, not times', () => {
    expect(compare(run(20, 10), run(40, 20))).toEqual({ compared: 2, falls: [] });
  });

  test('14 % less is noise, 16 % less is a fall', () => {
    expect(compare(run(20, 10), run(17.2, 10)).falls).toEqual([]);
    const comparison = compare(run(20, 10), run(16.8, 10));
    expect(comparison.falls).toMatchObject([{ ours: 'the ours', other: 'the peer', what: 'speed', before: 2 }]);
    expect(comparisonLines(comparison)).toEqual([
      'mixed, dump: speed of the ours against the peer fell from 2.00 to 1.68 (-16 %)',
      '1 of 2 ratios fell by more than 15 %.',
    ]);
  });

  test('a larger file is a fall too', () => {
    expect(compare(run(20, 10), run(20, 10, 120)).falls).toMatchObject([{ what: 'size' }]);
  });

  test('to have got better is none', () => {
    expect(compare(run(20, 10), run(40, 10, 50)).falls).toEqual([]);
  });

  test('says so when there was nothing to compare', () => {
    const other = benchResult(1, [workResult('restore', toolResult('ours', 'ours', [1]))]);
    expect(comparisonLines(compare(run(20, 10), other))).toEqual([expect.stringContaining('nothing was compared')]);
  });
});
