/** What a job needs a turn at, and how many may have one at the same time. */
export interface Claim {
  readonly name: string;
  readonly atMost: number;
}

export interface Turn {
  release(): void;
}

interface Waiting {
  readonly claims: readonly Claim[];
  begin(): void;
}

/**
 * Bounds how much happens at the same time: in all, and for each thing that jobs claim (a server, a source). Who came first is served
 * first; who waits for something that is taken holds up nobody who does not need it.
 */
export class Turns {
  readonly #overall: number;
  #running = 0;
  readonly #taken = new Map<string, number>();
  #queue: Waiting[] = [];

  constructor(overall: number) {
    this.#overall = overall;
  }

  /** Waits for a turn; `undefined` when the signal aborts before. `onWait` is called if it has to wait. */
  async take(claims: readonly Claim[], signal: AbortSignal, onWait?: () => void): Promise<Turn | undefined> {
    if (signal.aborted) return undefined;
    const turn = new Promise<Turn | undefined>((resolve) => {
      const abort = (): void => {
        this.#queue = this.#queue.filter((each) => each !== waiting);
        resolve(undefined);
      };
      const waiting: Waiting = {
        claims,
        begin: () => {
          signal.removeEventListener('abort', abort);
          resolve(this.#turnOf(claims));
        },
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#next();
      if (this.#queue.includes(waiting)) onWait?.();
    });
    return await turn;
  }

  /** Begins whatever can, in the order in which they came. */
  #next(): void {
    for (const waiting of [...this.#queue]) {
      if (this.#running >= this.#overall) return;
      if (waiting.claims.some(({ name, atMost }) => (this.#taken.get(name) ?? 0) >= atMost)) continue;
      this.#queue = this.#queue.filter((each) => each !== waiting);
      this.#count(waiting.claims, 1);
      waiting.begin();
    }
  }

  #turnOf(claims: readonly Claim[]): Turn {
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#count(claims, -1);
        this.#next();
      },
    };
  }

  #count(claims: readonly Claim[], change: 1 | -1): void {
    this.#running += change;
    for (const { name } of claims) {
      const count = (this.#taken.get(name) ?? 0) + change;
      if (count === 0) this.#taken.delete(name);
      else this.#taken.set(name, count);
    }
  }
}
