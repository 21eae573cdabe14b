import { describe, expect, test } from '@jest/globals';

import { peak, ratio, summarize, summaryOf } from '../../../bench/result/statistics.ts';
import { toolResult } from '../../support/sample-result.ts';

describe('a summary', () => {
  test('has the middle value of an odd number, whatever their order', () => {
    expect(summarize([9, 1, 10])).toEqual({ median: 9, min: 1, max: 10 });
  });

  test('has the mean of the two middle values of an even number', () => {
    expect(summarize([4, 1, 2, 100])).toEqual({ median: 3, min: 1, max: 100 });
  });

  test('of nothing is an error, not a number', () => {
    expect(() => summarize([])).toThrow(RangeError);
  });
});

describe('a ratio', () => {
  const slow = toolResult('slow', 'peer', [9, 10, 30], { bytes: 300 });
  const fast = toolResult('fast', 'ours', [4, 5, 6], { bytes: 200 });

  test('is of medians, not of means', () => {
    expect(ratio(slow, fast, 'seconds')).toBe(2);
    expect(ratio(slow, fast, 'bytes')).toBe(1.5);
  });

  test('is undefined when one did not take part or has nothing to divide by', () => {
    expect(ratio(slow, undefined, 'seconds')).toBeUndefined();
    expect(ratio(undefined, fast, 'seconds')).toBeUndefined();
    expect(ratio(slow, toolResult('none', 'limit', [1], { bytes: 0 }), 'bytes')).toBeUndefined();
  });

  test('peaks are the highest of all runs', () => {
    expect(peak(slow, 'seconds')).toBe(30);
    expect(peak(undefined, 'seconds')).toBeUndefined();
    expect(summaryOf(slow, 'seconds').min).toBe(9);
  });
});
