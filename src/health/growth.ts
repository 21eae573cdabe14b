const DAY_MS = 24 * 60 * 60_000;
/** Not more than so many are looked at: what a database was like long ago says nothing. */
const LOOKED_AT = 30;
/** A backup is hardly ever so much larger than all before it. */
const MARGIN = 1.1;

/** The size of one backup that is stored. */
export interface Measured {
  readonly at: Date;
  readonly bytes: number;
}

/**
 * Bytes that a backup at `when` may have: the straight line with the least squares through the sizes so far, never less than the
 * last one, and a tenth more. `undefined` when there is none to tell by.
 */
export function forecastBytes(sizes: readonly Measured[], when: Date): number | undefined {
  const known = [...sizes].sort((a, b) => a.at.getTime() - b.at.getTime()).slice(-LOOKED_AT);
  const last = known.at(-1);
  if (!last) return undefined;
  const days = (at: Date) => (at.getTime() - last.at.getTime()) / DAY_MS;
  const meanX = mean(known.map(({ at }) => days(at)));
  const meanY = mean(known.map(({ bytes }) => bytes));
  const spread = known.reduce((sum, { at }) => sum + (days(at) - meanX) ** 2, 0);
  const joint = known.reduce((sum, { at, bytes }) => sum + (days(at) - meanX) * (bytes - meanY), 0);
  // All within minutes says nothing about days.
  const slope = spread < 1 ? 0 : joint / spread;
  return Math.ceil(Math.max(last.bytes, meanY + slope * (days(when) - meanX)) * MARGIN);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
