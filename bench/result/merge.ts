import { isDeepStrictEqual } from 'node:util';

import type { BenchResult, DataResult } from './result.ts';

/**
 * What was measured now together with what an earlier run measured, so that a run can be made in parts. A part is one work on
 * one data set: all its tools come from one run, or they could not be compared. The earlier run counts for nothing
 * if machine, versions or options were other ones.
 */
export function merge(earlier: BenchResult | undefined, now: BenchResult): BenchResult {
  if (!earlier || !sameCircumstances(earlier, now)) return now;
  const names = [...new Set([...earlier.data, ...now.data].map(({ name }) => name))];
  const data = names.flatMap((name) => {
    const [then, found] = [earlier, now].map((result) => result.data.find((each) => each.name === name));
    return then && found ? [mergeData(then, found)] : (found ?? then ?? []);
  });
  return { ...now, missing: [...new Set([...earlier.missing, ...now.missing])], data };
}

function sameCircumstances(a: BenchResult, b: BenchResult): boolean {
  return (
    isDeepStrictEqual(a.options, b.options) &&
    isDeepStrictEqual(a.machine, b.machine) &&
    isDeepStrictEqual(a.versions, b.versions)
  );
}

function mergeData(earlier: DataResult, now: DataResult): DataResult {
  // Other rows under the same name: the definition has changed, and the earlier times are of something else.
  if (earlier.rows !== now.rows || earlier.tables !== now.tables) return now;
  const kept = earlier.works.filter(({ work }) => !now.works.some((each) => each.work === work));
  const order = ['dump', 'restore', 'verify'];
  return { ...now, works: [...kept, ...now.works].sort((a, b) => order.indexOf(a.work) - order.indexOf(b.work)) };
}
