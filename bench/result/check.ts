import { findWork, type BenchResult, type Work } from './result.ts';
import { ratio } from './statistics.ts';

/** A ratio of ours to another tool that is worse than it was. */
export interface Fall {
  readonly data: string;
  readonly work: Work;
  readonly ours: string;
  readonly other: string;
  readonly what: 'speed' | 'size';
  /** Theirs over ours: the more the better. */
  readonly before: number;
  readonly now: number;
}

export interface Comparison {
  readonly compared: number;
  readonly falls: readonly Fall[];
}

/** What a ratio may lose before it is called a fall: two runs on one machine differ by less. */
const TOLERANCE = 0.15;

/**
 * Compares ratios, not times, so that the runs may be of different machines: of each of our ways to each peer and to the limit,
 * where both runs have both.
 */
export function compare(before: BenchResult, now: BenchResult): Comparison {
  let compared = 0;
  const falls: Fall[] = [];
  for (const { name: data, works } of now.data) {
    for (const { work, tools } of works) {
      const earlier = findWork(before, data, work)?.tools ?? [];
      for (const ours of tools.filter(({ kind }) => kind === 'ours')) {
        for (const other of tools.filter(({ kind }) => kind === 'peer' || kind === 'limit')) {
          const [oursThen, otherThen] = [ours, other].map(({ id }) => earlier.find((tool) => tool.id === id));
          for (const [what, field] of MEASURES) {
            // The size of a restored database says nothing about us, and a limit may write nothing.
            if (what === 'size' && (work !== 'dump' || other.kind === 'limit')) continue;
            const then = ratio(otherThen, oursThen, field);
            const found = ratio(other, ours, field);
            if (then === undefined || found === undefined) continue;
            compared += 1;
            if (found < then * (1 - TOLERANCE)) {
              falls.push({ data, work, ours: ours.name, other: other.name, what, before: then, now: found });
            }
          }
        }
      }
    }
  }
  return { compared, falls };
}

const MEASURES = [
  ['speed', 'seconds'],
  ['size', 'bytes'],
] as const;

/** One line for each fall, worst first, and one that sums it up. */
export function comparisonLines({ compared, falls }: Comparison): string[] {
  const worst = [...falls].sort((a, b) => a.now / a.before - b.now / b.before);
  const lines = worst.map(
    ({ data, work, ours, other, what, before, now }) =>
      `${data}, ${work}: ${what} of ${ours} against ${other} fell from ${before.toFixed(2)} to ${now.toFixed(2)} ` +
      `(${((now / before - 1) * 100).toFixed(0)} %)`,
  );
  const sum =
    compared === 0
      ? 'The committed results have nothing that was measured now: nothing was compared.'
      : falls.length === 0
        ? `None of ${compared} ratios fell by more than ${TOLERANCE * 100} %.`
        : `${falls.length} of ${compared} ratios fell by more than ${TOLERANCE * 100} %.`;
  return [...lines, sum];
}
