import { describe, expect, test } from '@jest/globals';

import { DATA_SETS } from '../../../bench/data/data-sets.ts';
import { readOptions } from '../../../bench/options.ts';
import { RESULTS_FOLDER } from '../../../bench/result/documents.ts';

describe('the options', () => {
  test('by default: everything at 1 GB, five rounds, into docs/benchmarks', () => {
    expect(readOptions([])).toMatchObject({
      gb: 1,
      rounds: 5,
      workers: 2,
      works: ['dump', 'restore', 'verify'],
      out: RESULTS_FOLDER,
    });
    expect(readOptions([])?.data).toHaveLength(6);
  });

  test('a small run or a check does not touch what is committed', () => {
    expect(readOptions(['--gb', '0.1'])?.out).toBeUndefined();
    expect(readOptions(['--check', '--out', 'somewhere'])?.out).toBeUndefined();
    expect(readOptions(['--gb', '0.1', '--out', 'somewhere'])?.out).toBe('somewhere');
  });

  test('nothing runs more often for orientation than for the targets', () => {
    expect(readOptions(['--rounds', '1'])?.orientationRounds).toBe(1);
    expect(readOptions(['--orientation-rounds', '0'])?.orientationRounds).toBe(0);
  });

  test.each([
    [['--gb', 'much'], '--gb'],
    [['--rounds', '0'], '--rounds'],
    [['--data', 'mixed,maxed'], `there is no 'maxed'`],
    [['--only', 'dumps'], `there is no 'dumps'`],
    [['--round', '3'], '--round'],
  ])('%j is refused', (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});

describe('the data sets', () => {
  test.each(DATA_SETS)('$name is the same for the same seed', ({ make }) => {
    expect(make(0.5, 7)).toEqual(make(0.5, 7));
  });

  test.each(DATA_SETS.filter(({ name }) => name !== 'pgbench'))('$name is another for another seed', ({ make }) => {
    expect(make(0.5, 7).rows).not.toEqual(make(0.5, 8).rows);
  });
});
