import { constants } from 'node:zlib';
import type { CodecName, Effort } from './codec.ts';

/** An effort and the time that it takes, in whatever unit. */
export interface Choice {
  readonly effort: Effort;
  readonly time: number;
}

/** The lowest that is worth having. */
export const FAST: Effort = { level: 2 };
/** Matches of five bytes and fewer are not worth their codes in rows of short fields. */
const LONG = constants.Z_FILTERED;
/** No search at all: about as long for any rows. */
export const PLAIN: Effort = { level: 1, strategy: constants.Z_HUFFMAN_ONLY };

/**
 * gzip: time in that of Huffman coding alone. The price is such that the whole is no larger than `pg_dump | gzip` makes it
 * (docs/adr/0017).
 */
export const GZIP_CHOICES = {
  choices: [FAST, { level: 4 }, { level: 4, strategy: LONG }, { level: 5, strategy: LONG }] as readonly Effort[],
  sampleBytes: 128 * 1024,
  worth: 36,
};

const MIN_MATCH = constants.ZSTD_c_minMatch;
const SEARCHES = constants.ZSTD_c_searchLog;
const WINDOW = constants.ZSTD_c_windowLog;
const TABLE = constants.ZSTD_c_hashLog;

/**
 * zstd: time in milliseconds for a megabyte, on one machine; only their ratio counts. The third has tables that fit into the
 * processor's cache, the fourth finds what comes again a megabyte later. The sample has to be long enough for that.
 */
export const ZSTD_CHOICES = {
  choices: [
    { effort: { level: 1 }, time: 2.2 },
    { effort: { level: 3, parameters: { [MIN_MATCH]: 7 } }, time: 3.9 },
    { effort: { level: 5, parameters: { [MIN_MATCH]: 6, [SEARCHES]: 5, [WINDOW]: 20, [TABLE]: 17 } }, time: 7.4 },
    { effort: { level: 5, parameters: { [MIN_MATCH]: 6, [SEARCHES]: 5, [WINDOW]: 23, [TABLE]: 20 } }, time: 10 },
  ] as readonly Choice[],
  sampleBytes: 2 * 1024 * 1024,
  worth: 600,
};

/** For members of many tables, and for the definitions: so little that a trial would be most of the work. */
export const SMALL_TABLES: Record<CodecName, Effort> = { gzip: { level: 5 }, zstd: ZSTD_CHOICES.choices[2]!.effort };
