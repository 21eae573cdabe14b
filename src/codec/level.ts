import { deflateRawSync } from 'node:zlib';
import type { CodecName } from './codec.ts';

/** `auto`: chosen for each member, see {@link levelFor}. */
export type Level = number | 'auto';

/** Of gzip: as fast as the first and a little smaller; and the one whose output is no larger than `gzip` at its default makes it. */
const FAST = 2;
const SMALL = 5;
/** Of zstd: smaller than gzip at any level that is worth its time. */
const ZSTD = 1;
const SAMPLE_BYTES = 128 * 1024;
/** What the slower level must save to be worth its time. */
const WORTH = 0.96;

/**
 * The level for a member. Text gains a tenth and more from a higher level of gzip, keys and hashes nearly nothing: `auto` tries
 * both on a sample from the middle.
 */
export function levelFor(codec: CodecName, level: Level, raw: Uint8Array): number {
  if (level !== 'auto') return level;
  if (codec === 'zstd') return ZSTD;
  const from = Math.max(0, Math.floor((raw.length - SAMPLE_BYTES) / 2));
  const sample = raw.subarray(from, from + SAMPLE_BYTES);
  const [fast, small] = [FAST, SMALL].map((each) => deflateRawSync(sample, { level: each }).length) as [number, number];
  return small < fast * WORTH ? SMALL : FAST;
}
