import type { Ledger } from './ledger.ts';
import { lookAtLedger, type LedgerLook, type LedgerMark } from './look-at-ledger.ts';

/** How often all of the ledger is read again. */
const WHOLE_MS = 24 * 60 * 60_000;
/** What is broken was read wholly, and is told to all who ask in the same round of health checks. */
const ROUND_MS = 10 * 60_000;

/**
 * Looks at a ledger again and again, on behalf of every source that has its entries there: each line is read once, in whatever number of
 * sources ask, and all of them once a day.
 */
export class LedgerWatch {
  readonly #ledger: Pick<Ledger, 'folder' | 'publicKey'>;
  #mark: LedgerMark | undefined;
  /** When all of it was begun to be read. */
  #wholeAt: Date | undefined;
  #broken: { readonly look: LedgerLook; readonly at: Date } | undefined;
  /** One look at a time, so that two that ask at once do not both read all of it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ledger: Pick<Ledger, 'folder' | 'publicKey'>) {
    this.#ledger = ledger;
  }

  /** How the ledger is now. What was found broken stays so for some minutes. */
  look(now: Date): Promise<LedgerLook> {
    const look = this.#last.then(() => this.#look(now));
    this.#last = look.catch(() => undefined);
    return look;
  }

  async #look(now: Date): Promise<LedgerLook> {
    if (this.#broken && isWithin(ROUND_MS, this.#broken.at, now)) return this.#broken.look;
    const mark = this.#wholeAt && isWithin(WHOLE_MS, this.#wholeAt, now) ? this.#mark : undefined;
    const { folder, publicKey } = this.#ledger;
    const look = await lookAtLedger(folder, mark, publicKey);
    this.#broken = look.breaks.length > 0 ? { look, at: now } : undefined;
    if (look.mark) {
      this.#mark = look.mark;
      if (!mark) this.#wholeAt = now;
    }
    return look;
  }
}

function isWithin(ms: number, before: Date, now: Date): boolean {
  return Math.abs(now.getTime() - before.getTime()) < ms;
}
