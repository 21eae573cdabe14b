import { median } from '../quantities.ts';

const DAY_MS = 86_400_000;
/** Fewer than these, or all within a day, say nothing about growth. */
const FEWEST = 3;
const SHORTEST_DAYS = 1;
/** Beyond this no line through a few points is worth a date. */
const FARTHEST_DAYS = 10 * 365;

/** What an earlier drill, or this one, measured. */
export interface DrillMeasure {
  readonly at: Date;
  /** Bytes of SQL in the backup. */
  readonly bytes: number;
  readonly restoreMinutes: number;
}

export interface Forecast {
  /** How many drills it rests on. */
  readonly drills: number;
  /** Least squares over the sizes; negative when the database shrinks. */
  readonly bytesPerDay?: number;
  /** When the restore will take longer than the target. Absent: not within ten years, or not known. */
  readonly missedOn?: Date;
  readonly says: string;
}

/**
 * When the time of a restore will exceed `rtoMinutes` if the database goes on growing as it did: a straight line through the
 * sizes, times the median of minutes per byte. Sizes and not durations are extrapolated, since durations jump with the load of
 * the machine while sizes do not.
 */
export function forecastRestore(measures: readonly DrillMeasure[], rtoMinutes: number): Forecast {
  const known = measures.filter(({ bytes, restoreMinutes }) => bytes > 0 && restoreMinutes > 0);
  const sorted = [...known].sort((a, b) => a.at.getTime() - b.at.getTime());
  const last = sorted.at(-1);
  const drills = sorted.length;
  if (!last || drills < FEWEST || last.at.getTime() - sorted[0]!.at.getTime() < SHORTEST_DAYS * DAY_MS) {
    return { drills, says: `No forecast yet: it takes ${FEWEST} drills over more than a day, and there are ${drills}.` };
  }
  const days = (at: Date) => (at.getTime() - sorted[0]!.at.getTime()) / DAY_MS;
  const line = fitLine(sorted.map(({ at, bytes }) => [days(at), bytes]));
  const minutesPerByte = median(sorted.map(({ bytes, restoreMinutes }) => restoreMinutes / bytes));
  const allowedBytes = rtoMinutes / minutesPerByte;
  const now = days(last.at);
  const basis = { drills, bytesPerDay: line.slope };
  if (line.at(now) > allowedBytes) {
    return { ...basis, missedOn: last.at, says: 'The target for the time of a restore is missed already.' };
  }
  const ahead = line.slope > 0 ? (allowedBytes - line.at(now)) / line.slope : Infinity;
  if (ahead > FARTHEST_DAYS) {
    return { ...basis, says: 'At this growth the target for the time of a restore is kept for the next ten years.' };
  }
  const missedOn = new Date(last.at.getTime() + ahead * DAY_MS);
  return {
    ...basis,
    missedOn,
    says: `At this growth a restore takes longer than allowed from about ${missedOn.toISOString().slice(0, 10)} on.`,
  };
}

/** The straight line with the least sum of squared distances. Two points at the same place give a level one. */
function fitLine(points: readonly (readonly [x: number, y: number])[]): { slope: number; at: (x: number) => number } {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = spread === 0 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  return { slope, at: (x) => meanY + slope * (x - meanX) };
}
