import type { Timer } from '../clock.ts';

/** Calls that are to come, each at its time, until all of them are taken back. */
export class TimedCalls {
  readonly #timer: Timer;
  readonly #pending = new Set<() => void>();
  #ended = false;

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  /** Calls `run` once, after `ms`. What it returns takes that back. */
  after(ms: number, run: () => void): () => void {
    const cancel = this.#timer.after(ms, () => {
      this.#pending.delete(cancel);
      if (!this.#ended) run();
    });
    this.#pending.add(cancel);
    return () => {
      this.#pending.delete(cancel);
      cancel();
    };
  }

  /** Takes back all of them; none comes any more. */
  end(): void {
    this.#ended = true;
    for (const cancel of this.#pending) cancel();
  }
}
