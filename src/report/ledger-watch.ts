import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs } from '../errors.ts';
import { onDisk } from '../storage/disk-error.ts';
import type { Ledger } from './ledger.ts';
import { LEDGER } from './ledger-file.ts';
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
  #broken: { readonly look: LedgerLook; readonly at: Date; readonly file: FileState } | undefined;
  /** One look at a time, so that two that ask at once do not both read all of it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(ledger: Pick<Ledger, 'folder' | 'publicKey'>) {
    this.#ledger = ledger;
  }

  /** How the ledger is now. What was found broken stays so for some minutes, unless the file was changed but for new lines at its end. */
  look(now: Date): Promise<LedgerLook> {
    const look = this.#last.then(() => this.#look(now));
    this.#last = look.catch(() => undefined);
    return look;
  }

  async #look(now: Date): Promise<LedgerLook> {
    const { folder, publicKey } = this.#ledger;
    const file = await stateOf(join(folder, LEDGER));
    const broken = this.#broken;
    if (broken && isWithin(ROUND_MS, broken.at, now) && isSameOrLonger(broken.file, file)) return broken.look;
    const mark = this.#wholeAt && isWithin(WHOLE_MS, this.#wholeAt, now) ? this.#mark : undefined;
    const look = await lookAtLedger(folder, mark, publicKey);
    this.#broken = look.breaks.length > 0 ? { look, at: now, file } : undefined;
    if (look.mark) {
      this.#mark = look.mark;
      if (!mark) this.#wholeAt = now;
    }
    return look;
  }
}

/** Which file it is, and how it was when it was looked at; absent: there is none. */
type FileState = Pick<Stats, 'ino' | 'size' | 'mtimeMs'> | undefined;

function stateOf(path: string): Promise<FileState> {
  return onDisk('read', path, () => absentAs(undefined, stat(path)));
}

/** Runs go on to be entered in a ledger that is broken. */
function isSameOrLonger(before: FileState, now: FileState): boolean {
  if (!before || !now) return before === now;
  return before.ino === now.ino && (now.size > before.size || (now.size === before.size && now.mtimeMs === before.mtimeMs));
}

function isWithin(ms: number, before: Date, now: Date): boolean {
  return Math.abs(now.getTime() - before.getTime()) < ms;
}
