import { isDeepStrictEqual } from 'node:util';

import type { BenchResult, DataResult, WorkResult } from './result.ts';

/**
 * What was measured now together with what an earlier run measured, so that a run can be made in parts. A part is one work on
 * one data set: its tools have taken turns, or they could not be compared. With `add`, rounds of the same commit are put together.
 * The earlier run counts for nothing if machine, versions or options were other ones.
 */
export function merge(earlier: BenchResult | undefined, now: BenchResult, add = false): BenchResult {
  if (!earlier || !sameCircumstances(earlier, now)) return now;
  const names = [...new Set([...earlier.data, ...now.data].map(({ name }) => name))];
  const data = names.flatMap((name) => {
    const [then, found] = [earlier, now].map((result) => result.data.find((each) => each.name === name));
    return then && found ? [mergeData(then, found, add)] : (found ?? then ?? []);
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

function mergeData(earlier: DataResult, now: DataResult, add: boolean): DataResult {
  // Other rows under the same name: the definition has changed, and the earlier times are of something else.
  if (earlier.rows !== now.rows || earlier.tables !== now.tables) return now;
  const kept = earlier.works.filter(({ work }) => !now.works.some((each) => each.work === work));
  const measured = now.works.map((found) => {
    const then = earlier.works.find(({ work }) => work === found.work);
    return add && then?.commit === found.commit ? addRounds(then, found) : found;
  });
  const order = ['dump', 'restore', 'verify'];
  return { ...now, works: [...kept, ...measured].sort((a, b) => order.indexOf(a.work) - order.indexOf(b.work)) };
}

/** A tool that took part in one of them only stays with the rounds that it has. */
function addRounds(earlier: WorkResult, now: WorkResult): WorkResult {
  const ids = [...new Set([...earlier.tools, ...now.tools].map(({ id }) => id))];
  const tools = ids.flatMap((id) => {
    const [then, found] = [earlier, now].map((work) => work.tools.find((tool) => tool.id === id));
    return then && found ? [{ ...found, runs: [...then.runs, ...found.runs] }] : (found ?? then ?? []);
  });
  return { ...now, pieces: (earlier.pieces ?? 1) + 1, tools };
}
