import { deflateRawSync } from 'node:zlib';
import type { Clock } from '../clock.ts';
import type { CodecName } from './codec.ts';

/** `auto`: chosen while the rows go by, see {@link LevelChooser}. */
export type Level = number | 'auto';

/** Of gzip: nearly as fast as the first and a little smaller; one between; and the one whose output is no larger than `gzip` makes it. */
const FAST = 2;
const MIDDLE = 4;
const SMALL = 5;
/** Of zstd: smaller than gzip at any level that is worth its time. */
const ZSTD = 1;
const SAMPLE_BYTES = 128 * 1024;
/** What the small level must save over the fast one. */
const WORTH_A_LOOK = 0.04;
/** What a level must save for each part of time that it adds: a sixteenth as much. */
const WORTH = 1 / 16;
/** Members of a table until it is looked at again: a table's rows change in nature less often than that. */
const REMEMBERED = 24;
/** The shortest of so many is what a level takes; the others were interrupted. */
const TRIALS = 4;

/**
 * Chooses the level for the members of one writer. Text gains a tenth and more from a higher level of gzip, keys and hashes nearly
 * nothing, numbers a little at twice the time. `auto` tries the levels on a sample of a table's rows and keeps to its choice for the
 * next members of that table.
 */
export class LevelChooser {
  readonly #codec: CodecName;
  readonly #level: Level;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #chosen = new Map<number | undefined, { readonly level: number; members: number }>();

  constructor(codec: CodecName, level: Level, clock: Pick<Clock, 'monotonic'>) {
    this.#codec = codec;
    this.#level = level;
    this.#clock = clock;
  }

  /** The level for the next member of `table`: an index, or undefined for what is not rows. */
  choose(table: number | undefined, raw: Uint8Array): number {
    if (this.#level !== 'auto') return this.#level;
    if (this.#codec === 'zstd') return ZSTD;
    const known = this.#chosen.get(table);
    if (known !== undefined && known.members < REMEMBERED) {
      known.members += 1;
      return known.level;
    }
    const level = this.#try(raw);
    this.#chosen.set(table, { level, members: 1 });
    return level;
  }

  #try(raw: Uint8Array): number {
    const from = Math.max(0, Math.floor((raw.length - SAMPLE_BYTES) / 2));
    const sample = raw.subarray(from, from + SAMPLE_BYTES);
    const fast = deflateRawSync(sample, { level: FAST }).length;
    const small = deflateRawSync(sample, { level: SMALL }).length;
    if (small >= fast * (1 - WORTH_A_LOOK)) return FAST;
    let [middle, middleMs, smallMs] = [0, Infinity, Infinity];
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const began = this.#clock.monotonic();
      middle = deflateRawSync(sample, { level: MIDDLE }).length;
      const between = this.#clock.monotonic();
      deflateRawSync(sample, { level: SMALL });
      middleMs = Math.min(middleMs, between - began);
      smallMs = Math.min(smallMs, this.#clock.monotonic() - between);
    }
    return 1 - small / middle > Math.max(0, smallMs / middleMs - 1) * WORTH ? SMALL : MIDDLE;
  }
}
