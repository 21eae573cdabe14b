/** The only place that reads the raw clock; everything else is handed a {@link Clock}, so that tests can move time. */
export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Monotonic milliseconds, for durations: never jumps when the wall clock is set. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
};
