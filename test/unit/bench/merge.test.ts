import { expect, test } from '@jest/globals';

import { merge } from '../../../bench/result/merge.ts';
import { benchResult, toolResult, workResult } from '../../support/sample-result.ts';

const dumpThen = workResult('dump', toolResult('ours', 'ours', [1]), toolResult('peer', 'peer', [1]));
const dumpNow = workResult('dump', toolResult('ours', 'ours', [2]));
const restore = workResult('restore', toolResult('ours', 'ours', [3]));

test('what was not measured now is kept, and a work is replaced as a whole', () => {
  const merged = merge(benchResult(1, [dumpThen, restore]), benchResult(1, [dumpNow]));
  expect(merged.data[0]?.works).toEqual([dumpNow, restore]);
});

test('rounds are added on request, tool by tool, if they are of one commit', () => {
  const one = merge(benchResult(1, [dumpThen]), benchResult(1, [dumpNow]), true);
  const two = merge(one, benchResult(1, [dumpNow]), true);
  expect(two.data[0]?.works).toEqual([
    { ...workResult('dump', toolResult('ours', 'ours', [1, 2, 2]), toolResult('peer', 'peer', [1])), pieces: 3 },
  ]);
  expect(merge(benchResult(1, [{ ...dumpThen, commit: 'earlier' }]), benchResult(1, [dumpNow]), true).data[0]?.works).toEqual([
    dumpNow,
  ]);
});

test('other data sets are kept', () => {
  const merged = merge(benchResult(1, [dumpThen]), benchResult(1, [dumpNow], 'pgbench'));
  expect(merged.data.map(({ name }) => name)).toEqual(['mixed', 'pgbench']);
});

test('nothing is kept of another machine, of other versions or of other rows', () => {
  const now = benchResult(1, [dumpNow]);
  const then = benchResult(1, [restore]);
  expect(merge({ ...then, machine: { ...then.machine, cores: 64 } }, now)).toEqual(now);
  expect(merge({ ...then, versions: { PostgreSQL: '18' } }, now)).toEqual(now);
  expect(merge({ ...then, data: [{ ...then.data[0]!, rows: 1 }] }, now)).toEqual(now);
  expect(merge(undefined, now)).toEqual(now);
});
