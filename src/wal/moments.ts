import { parseLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { segmentOf } from '../catalog/wal-names.ts';

/** With the timeline that its place is on; absent where that is not known: a standby's, which has replayed it on each that it may follow. */
export interface NotedMoment extends WalMoment {
  readonly timeline?: number;
}

/** How many are remembered: an hour of one a second. */
const MOST = 3600;

/** The looks at the source's clock, in their order: they tell up to which time a place in the WAL holds everything. */
export class Moments {
  #waiting: NotedMoment[] = [];
  readonly #known: NotedMoment[] = [];
  #timeline: number | undefined;

  /** What was known before, by what was noted of it. */
  resume(moment: NotedMoment): void {
    this.#known.push(moment);
  }

  /**
   * Whom the source is now: a primary on this timeline, or a standby. What its predecessor told and is not here yet may never come: as many
   * bytes of another history must not stand for it.
   */
  follow(timeline: number | undefined): void {
    if (timeline !== this.#timeline) this.#waiting = [];
    this.#timeline = timeline;
  }

  /** One that counts only once the WAL before its place has been received: see {@link confirm}. */
  offer(moment: WalMoment): void {
    this.#waiting.push(this.#timeline === undefined ? moment : { ...moment, timeline: this.#timeline });
    if (this.#waiting.length > MOST) this.#waiting.shift();
  }

  /** All WAL before `lsn` is durable here. Says which moment is the newest now, if that is a new one. */
  confirm(lsn: string): NotedMoment | undefined {
    const reached = parseLsn(lsn);
    const before = this.newest;
    while (this.#waiting[0] !== undefined && parseLsn(this.#waiting[0].lsn) <= reached) this.#known.push(this.#waiting.shift()!);
    this.#known.splice(0, this.#known.length - MOST);
    return this.newest === before ? undefined : this.newest;
  }

  get newest(): NotedMoment | undefined {
    return this.#known.at(-1);
  }

  /** The newest one before this place. */
  before(lsn: bigint): WalMoment | undefined {
    return this.#known.findLast((moment) => parseLsn(moment.lsn) <= lsn);
  }

  /** Those that lie in a segment of this timeline; once it is finished all of it is there, confirmed or not. */
  inSegment(
    segment: { readonly number: bigint; readonly timeline: number },
    segmentBytes: number,
    isFinished: boolean,
  ): WalMoment[] {
    const moments = isFinished ? [...this.#known, ...this.#waiting] : this.#known;
    return moments
      .filter(({ timeline }) => timeline === undefined || timeline === segment.timeline)
      .filter(({ lsn }) => segmentOf(parseLsn(lsn), segmentBytes) === segment.number)
      .map(({ time, lsn }) => ({ time, lsn }));
  }
}
