const DAY_MS = 24 * 60 * 60_000;
/** 1970-01-01 was a Thursday; ISO weeks begin on Monday. */
const DAYS_TO_FIRST_MONDAY = 3;

export type Period = 'daily' | 'weekly' | 'monthly' | 'yearly';

/** The number of the calendar day, ISO week, month or year that a time (ms since 1970) lies in, in UTC, where no day has 23 hours. */
export const bucketOf: Readonly<Record<Period, (time: number) => number>> = {
  daily: (time) => Math.floor(time / DAY_MS),
  weekly: (time) => Math.floor((Math.floor(time / DAY_MS) + DAYS_TO_FIRST_MONDAY) / 7),
  monthly: (time) => yearOf(time) * 12 + new Date(time).getUTCMonth(),
  yearly: (time) => yearOf(time),
};

function yearOf(time: number): number {
  return new Date(time).getUTCFullYear();
}
