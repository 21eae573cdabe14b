import type { Clock } from '../clock.ts';

/** A slot that comes again later than this is another one: the clock had been wrong when it came first. */
const SAME_MS = 26 * 60 * 60_000;

/** The slots of a job that were handled within the last day, so that a clock that is set back does not make them come again. */
export class HandledSlots {
  readonly #clock: Clock;
  /** With the time, of a clock that is never set. */
  readonly #slots = new Map<number, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether it was not handled before. */
  add(slot: number): boolean {
    const now = this.#clock.monotonic();
    for (const [each, since] of this.#slots) {
      if (now - since <= SAME_MS) break; // In the order in which they came.
      this.#slots.delete(each);
    }
    if (this.#slots.has(slot)) return false;
    this.#slots.set(slot, now);
    return true;
  }
}
