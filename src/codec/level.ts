import { deflateRawSync } from 'node:zlib';
import type { CodecName } from './codec.ts';

/** `auto`: chosen for each member, see {@link levelFor}. */
export type Level = number | 'auto';

/** gzip's fastest level, and the one whose output is no larger than that of `gzip` at its default level. */
const FAST = 1;
const SMALL = 5;
const SAMPLE_BYTES = 128 * 1024;
/** What the slower level must save to be worth its time. */
const WORTH = 0.97;

/**
 * The level for a member. Text gains a tenth and more from a higher level of gzip, keys and hashes nearly nothing: `auto` tries
 * both on a sample from the middle. zstd's first level is already smaller than gzip's sixth.
 */
export function levelFor(codec: CodecName, level: Level, raw: Uint8Array): number {
  if (level !== 'auto') return level;
  if (codec === 'zstd') return FAST;
  const from = Math.max(0, Math.floor((raw.length - SAMPLE_BYTES) / 2));
  const sample = raw.subarray(from, from + SAMPLE_BYTES);
  const [fast, small] = [FAST, SMALL].map((each) => deflateRawSync(sample, { level: each }).length) as [number, number];
  return small < fast * WORTH ? SMALL : FAST;
}
