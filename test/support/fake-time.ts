import { setImmediate as settle } from 'node:timers/promises';
import type { Clock, Timer } from '../../src/clock.ts';

/** Time that passes only when it is told to, for whatever waits on its timer; the wall clock can be set apart from it. */
export class FakeTime implements Clock, Timer {
  #monotonic = 0;
  #wall: number;
  readonly #waiting = new Set<{ readonly at: number; readonly run: () => void }>();

  constructor(start: string) {
    this.#wall = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#wall);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, run: () => void): () => void {
    const call = { at: this.#monotonic + Math.max(0, ms), run };
    this.#waiting.add(call);
    return () => this.#waiting.delete(call);
  }

  /** Sets the wall clock; nothing that waits is woken. */
  setClock(time: string): void {
    this.#wall = Date.parse(time);
  }

  /** The machine sleeps: the wall clock goes on, and nothing else. */
  suspend(ms: number): void {
    this.#wall += ms;
  }

  /** Lets time pass, and whoever waits for it act, each at its time. `settled` is awaited after each. */
  async pass(ms: number, settled: () => Promise<unknown> = settle): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      const [next] = [...this.#waiting].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      this.#advance((next?.at ?? end) - this.#monotonic);
      if (!next) return;
      this.#waiting.delete(next);
      next.run();
      await settled();
    }
  }

  #advance(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }
}
