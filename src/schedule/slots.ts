import type { TimeZone } from './time-zone.ts';

const DAY_MS = 24 * 60 * 60_000;
/** No clock has ever been set by more. */
const LONGEST_CHANGE_MS = 26 * 60 * 60_000;
const HOURS = 24;

/** When a job is due by what clocks show. All of it must match: days 1 to 7 and weekday 0 are the first Sunday of a month. */
export interface Pattern {
  readonly second: readonly number[];
  readonly minute: readonly number[];
  readonly hour: readonly number[];
  readonly dayOfMonth: readonly number[];
  readonly month: readonly number[];
  /** 0 is Sunday. */
  readonly dayOfWeek: readonly number[];
}

/** How far is looked ahead for a next time: 29 February is a given weekday once in 40 years at most. */
const AHEAD_MS = 41 * 366 * DAY_MS;

/** A minute, an hour, a day, a month, and all there is. */
const REACHES_MS = [60_000, 60 * 60_000, DAY_MS, 32 * DAY_MS, Infinity];

/**
 * The instants (ms since 1970) at which a job is due. Where clocks are changed:
 *
 * - A time that they skip is due at the first instant after the change. Several that they skip are one slot.
 * - A time that they show twice is due the first time.
 * - A pattern that has every hour is one of intervals, not of times of day. It is due whenever clocks show one of its times, also when they
 *   show it again; and what they skip is due only if nothing else is within as long as they skipped.
 */
export class Slots {
  readonly #pattern: Pattern;
  readonly #zone: TimeZone;
  /** Times of a day that matches, ms from its beginning, in order. */
  readonly #times: readonly number[];
  readonly #isInterval: boolean;

  constructor(pattern: Pattern, zone: TimeZone) {
    this.#pattern = pattern;
    this.#zone = zone;
    this.#times = timesOfDay(pattern);
    this.#isInterval = new Set(pattern.hour).size === HOURS;
  }

  /** The first one later than `after`; `undefined` when there is none. */
  next(after: number): number | undefined {
    return this.between(after, after + AHEAD_MS).next().value;
  }

  /** The last one later than `after` and not later than `until`. */
  last(after: number, until: number): number | undefined {
    // From near to far: between a wrong clock and a right one there may be years of seconds.
    for (const reach of REACHES_MS) {
      const from = Math.max(after, until - reach);
      let last: number | undefined;
      for (const slot of this.between(from, until)) last = slot;
      if (last !== undefined || from === after) return last;
    }
    return undefined;
  }

  /** Those later than `after` and not later than `until`, in order. */
  *between(after: number, until: number): Generator<number, undefined> {
    for (const span of this.#zone.spans(after - LONGEST_CHANGE_MS, until + 1)) {
      if (span.end <= after) continue;
      const shown = span.start + span.offset;
      const shownBefore = span.start + (span.before ?? span.offset);
      const isDueAtChange = span.start > after && shown > shownBefore && this.#isDueAfter(shownBefore, shown);
      if (isDueAtChange) yield span.start;
      const first = this.#isInterval ? shown : Math.max(shown, shownBefore);
      const from = Math.max(first, after + 1 + span.offset, isDueAtChange ? shown + 1 : 0);
      for (const time of this.#matches(from, span.end + span.offset)) yield time - span.offset;
    }
  }

  /** Whether what clocks skip, from one time to another, makes a slot of its own. */
  #isDueAfter(from: number, to: number): boolean {
    const has = (first: number, end: number) => this.#matches(first, end).next().done !== true;
    return has(from, to) && !(this.#isInterval && has(to, to + to - from));
  }

  /** The times that match, as clocks show them (ms, as if they were UTC), from `from` until before `to`. */
  *#matches(from: number, to: number): Generator<number> {
    const times = this.#times;
    for (let day = Math.floor(from / DAY_MS) * DAY_MS; day < to; day += DAY_MS) {
      if (!isDay(this.#pattern, new Date(day))) continue;
      for (let at = firstFrom(times, from - day); at < times.length; at += 1) {
        const time = day + times[at]!;
        if (time >= to) return;
        yield time;
      }
    }
  }
}

function isDay({ dayOfMonth, month, dayOfWeek }: Pattern, date: Date): boolean {
  return dayOfMonth.includes(date.getUTCDate()) && month.includes(date.getUTCMonth() + 1) && dayOfWeek.includes(date.getUTCDay());
}

function timesOfDay({ hour, minute, second }: Pattern): number[] {
  const inOrder = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b);
  const [minutes, seconds] = [inOrder(minute), inOrder(second)];
  return inOrder(hour).flatMap((h) => minutes.flatMap((m) => seconds.map((s) => ((h * 60 + m) * 60 + s) * 1000)));
}

/** Index of the first time that is not before `from`. */
function firstFrom(times: readonly number[], from: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
