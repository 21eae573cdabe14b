const DAY_MS = 24 * 60 * 60_000;
/** No zone changes its offset twice within so many days. (Morocco's month of Ramadan is the shortest in use.) */
const STEP_MS = 7 * DAY_MS;
/** An offset changes on a whole second. */
const PRECISION_MS = 1000;

/** A time during which clocks of a zone run evenly. Instants in ms since 1970, `end` not included; offsets in ms east of UTC. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
  /** The offset until `start`, when clocks are changed then. */
  readonly before?: number;
}

/** How clocks of a time zone are set, as the tables of the runtime (ICU) say. */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat;

  /** Throws `RangeError` for a name that is none. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: name, era: 'short', year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' },
    });
  }

  /** What clocks show is ahead of UTC by so many ms. */
  offsetAt(instant: number): number {
    const whole = Math.floor(instant / 1000) * 1000;
    const at = Object.fromEntries(this.#format.formatToParts(whole).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(at['year']!, at['month']! - 1, at['day'], at['hour'], at['minute'], at['second']) - whole;
  }

  /** The spans from `from` until `until`, in order, without holes, a week at most. A change of clocks at `from` itself or before is not told. */
  *spans(from: number, until: number): Generator<Span> {
    let offset = this.offsetAt(from);
    let before: number | undefined;
    for (let start = from; start < until;) {
      const reach = Math.min(start + STEP_MS, until);
      const end = this.offsetAt(reach) === offset ? reach : this.#changeBetween(start, reach, offset);
      yield { start, end, offset, ...(before !== undefined && { before }) };
      const next = this.offsetAt(end);
      before = next === offset ? undefined : offset;
      [start, offset] = [end, next];
    }
  }

  /** The first instant after `low`, where `offset` holds, at which it does not. */
  #changeBetween(low: number, high: number, offset: number): number {
    let [holds, changed] = [Math.floor(low / PRECISION_MS), Math.ceil(high / PRECISION_MS)];
    while (changed - holds > 1) {
      const middle = Math.floor((holds + changed) / 2);
      if (this.offsetAt(middle * PRECISION_MS) === offset) holds = middle;
      else changed = middle;
    }
    return changed * PRECISION_MS;
  }
}
