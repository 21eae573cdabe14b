import { parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { segmentOf } from '../catalog/wal-names.ts';

/** How many are remembered: an hour of one a second. */
const MOST = 3600;

/** The looks at the source's clock, in their order: they tell up to which time a place in the WAL holds everything. */
export class Moments {
  readonly #waiting: WalMoment[] = [];
  readonly #known: WalMoment[] = [];

  /** One that counts only once the WAL before its place has been received: see {@link confirm}. */
  offer(moment: WalMoment): void {
    this.#waiting.push(moment);
    if (this.#waiting.length > MOST) this.#waiting.shift();
  }

  /** All WAL before `lsn` is durable here. Says which moment is the newest now, if that is a new one. */
  confirm(lsn: string): WalMoment | undefined {
    const reached = parseLsn(lsn);
    const before = this.newest;
    while (this.#waiting[0] !== undefined && parseLsn(this.#waiting[0].lsn) <= reached) this.#known.push(this.#waiting.shift()!);
    this.#known.splice(0, this.#known.length - MOST);
    return this.newest === before ? undefined : this.newest;
  }

  get newest(): WalMoment | undefined {
    return this.#known.at(-1);
  }

  /** The newest one before this place. */
  before(lsn: bigint): WalMoment | undefined {
    return this.#known.findLast((moment) => parseLsn(moment.lsn) <= lsn);
  }

  /** Those that lie in a segment; once it is finished all of it is there, confirmed or not. */
  inSegment(number: bigint, segmentBytes: number, isFinished: boolean): WalMoment[] {
    const moments = isFinished ? [...this.#known, ...this.#waiting] : this.#known;
    return moments.filter(({ lsn }) => segmentOf(parseLsn(lsn), segmentBytes) === number);
  }
}
