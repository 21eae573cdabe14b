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

/** Waits; handed in beside a {@link Clock} to whatever acts at a time of its own. */
export interface Timer {
  /** Calls `run` once, after `ms`. What it returns takes that back. */
  after(ms: number, run: () => void): () => void;
}

export const systemTimer: Timer = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
