import type { Clock } from '../clock.ts';
import { codecOf, type CodecName, type Effort } from './codec.ts';
import { FAST, GZIP_CHOICES, PLAIN, SMALL_TABLES, ZSTD_CHOICES, type Choice } from './efforts.ts';

/** `auto`: chosen while the rows go by, see {@link LevelChooser}. */
export type Level = number | 'auto';

/** Members of a table until it is looked at again: a table's rows change in nature less often than that. */
const REMEMBERED = 24;
/** The shortest of so many is what a choice takes; the others were interrupted. */
const TRIALS = 3;

/**
 * Chooses how hard the members of one writer are compressed. Text gains a tenth and more from a higher level, keys and hashes nearly
 * nothing, numbers a little at twice the time. `auto` tries some on a sample of a table's rows, takes the one whose output and time
 * together cost least, and keeps to it for the next members of that table.
 */
export class LevelChooser {
  readonly #codec: CodecName;
  readonly #level: Level;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #chosen = new Map<number, { readonly effort: Effort; members: number }>();

  constructor(codec: CodecName, level: Level, clock: Pick<Clock, 'monotonic'>) {
    this.#codec = codec;
    this.#level = level;
    this.#clock = clock;
  }

  /** For the next member of `table`, an index; without one, for what is no rows of one table alone. */
  choose(table: number | undefined, raw: Uint8Array): Effort {
    if (this.#level !== 'auto') return { level: this.#level };
    if (table === undefined) return SMALL_TABLES[this.#codec];
    const known = this.#chosen.get(table);
    if (known !== undefined && known.members < REMEMBERED) {
      known.members += 1;
      return known.effort;
    }
    const effort = this.#codec === 'gzip' ? this.#tryGzip(raw) : this.#tryZstd(raw);
    this.#chosen.set(table, { effort, members: 1 });
    return effort;
  }

  /** How long a level of gzip takes depends on the rows, so a clock is asked; Huffman coding alone tells how fast the machine is. */
  #tryGzip(raw: Uint8Array): Effort {
    const { choices, sampleBytes, worth } = GZIP_CHOICES;
    const sample = middleOf(raw, sampleBytes);
    const times = new Map<Effort, number>([PLAIN, ...choices].map((effort) => [effort, Infinity]));
    const sizes = new Map<Effort, number>();
    for (let trial = 0; trial < TRIALS; trial += 1) {
      for (const [effort, shortest] of times) {
        const began = this.#clock.monotonic();
        const size = sizeOf('gzip', sample, effort);
        times.set(effort, Math.min(shortest, this.#clock.monotonic() - began));
        sizes.set(effort, size);
      }
    }
    const unit = times.get(PLAIN)!;
    return cheapest(
      choices.map((effort) => ({ effort, time: times.get(effort)! / unit })),
      (effort) => sizes.get(effort)! / sample.length,
      worth,
    );
  }

  /** Of zstd the times stand in one ratio whatever the rows are: sizes alone tell. */
  #tryZstd(raw: Uint8Array): Effort {
    const { choices, sampleBytes, worth } = ZSTD_CHOICES;
    const sample = middleOf(raw, sampleBytes);
    return cheapest(choices, (effort) => sizeOf('zstd', sample, effort) / sample.length, worth);
  }
}

/** `worth`: how much time it may take to save all of the size. */
function cheapest(choices: readonly Choice[], sizeOf: (effort: Effort) => number, worth: number): Effort {
  let best: { readonly effort: Effort; readonly cost: number } | undefined;
  for (const { effort, time } of choices) {
    const cost = time + worth * sizeOf(effort);
    if (best === undefined || cost < best.cost) best = { effort, cost };
  }
  return best?.effort ?? FAST;
}

function middleOf(raw: Uint8Array, length: number): Uint8Array {
  const from = Math.max(0, Math.floor((raw.length - length) / 2));
  return raw.subarray(from, from + length);
}

function sizeOf(codec: CodecName, sample: Uint8Array, effort: Effort): number {
  return codecOf(codec)
    .compress(sample, effort)
    .reduce((sum, { length }) => sum + length, 0);
}
