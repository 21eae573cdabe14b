import type { Run, ToolResult } from './result.ts';

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median (of an even number: the mean of the two in the middle), lowest and highest. Throws on an empty list. */
export function summarize(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('nothing to summarize');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

export function summaryOf(tool: ToolResult, what: keyof Run): Summary {
  return summarize(tool.runs.map((run) => run[what]));
}

/** How many times as much `tool` takes of something as `base`, by their medians. Undefined when one did not take part. */
export function ratio(tool: ToolResult | undefined, base: ToolResult | undefined, what: keyof Run): number | undefined {
  if (!tool || !base) return undefined;
  const [above, below] = [summaryOf(tool, what).median, summaryOf(base, what).median];
  return below > 0 ? above / below : undefined;
}

/** The highest value that a run of the tool had. */
export function peak(tool: ToolResult | undefined, what: keyof Run): number | undefined {
  return tool && summaryOf(tool, what).max;
}
