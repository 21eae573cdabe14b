import { CODECS, type CodecName } from '../codec/codec.ts';
import { encodeSource } from './names.ts';

/** Where WAL is under the backup directory and under the S3 prefix. */
export const WAL = 'wal/';
/** Beside every stored file of WAL: what it is, with the checksums. A file without it does not count. */
export const WAL_META = '.meta';
/** The segment that is still being written. */
const PARTIAL = '.partial';

/** One file of WAL as PostgreSQL names it. */
export type WalFile =
  | { readonly kind: 'segment' | 'partial'; readonly name: string; readonly timeline: number; readonly number: bigint }
  | { readonly kind: 'history'; readonly name: string; readonly timeline: number };

/** `undefined` for what is no file of WAL. The size of a segment, in bytes, is the server's `wal_segment_size`. */
export function parseWalFile(file: string, segmentBytes: number): WalFile | undefined {
  const history = /^([0-9A-F]{8})\.history$/.exec(file);
  if (history) return { kind: 'history', name: file, timeline: Number.parseInt(history[1]!, 16) };
  const match = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?$/.exec(file);
  if (!match) return undefined;
  const [, timeline, high, low, partial] = match;
  return {
    kind: partial === undefined ? 'segment' : 'partial',
    name: file,
    timeline: Number.parseInt(timeline!, 16),
    number: BigInt(`0x${high!}`) * perHigh(segmentBytes) + BigInt(`0x${low!}`),
  };
}

export function segmentName(timeline: number, number: bigint, segmentBytes: number): string {
  const high = number / perHigh(segmentBytes);
  return [BigInt(timeline), high, number % perHigh(segmentBytes)].map(hex).join('');
}

/** The segment that holds the byte at `lsn`. */
export function segmentOf(lsn: bigint, segmentBytes: number): bigint {
  return lsn / BigInt(segmentBytes);
}

/** `wal/<source>/<timeline>/`: a timeline's history, its segments, and what describes them. */
export function timelineFolder(source: string, timeline: number): string {
  return `${walFolder(source)}${hex(BigInt(timeline))}/`;
}

export function walFolder(source: string): string {
  return `${WAL}${encodeSource(source)}/`;
}

/** Key of a file of WAL, compressed: `wal/shop/00000001/000000010000000000000004.gz`. */
export function walKey(source: string, file: WalFile, codec: CodecName): string {
  return `${timelineFolder(source, file.timeline)}${file.name}${SUFFIX[codec]}`;
}

/** The name of the file of WAL in a key, and its codec; `undefined` for everything else, `.meta` files among it. */
export function parseWalKey(key: string): { readonly file: string; readonly codec: CodecName } | undefined {
  const name = key.slice(key.lastIndexOf('/') + 1);
  for (const codec of Object.keys(CODECS) as CodecName[]) {
    if (name.endsWith(SUFFIX[codec])) return { file: name.slice(0, -SUFFIX[codec].length), codec };
  }
  return undefined;
}

export function partialName(segment: string): string {
  return segment + PARTIAL;
}

/** The suffixes that the stock tools know. */
const SUFFIX: Readonly<Record<CodecName, string>> = { gzip: '.gz', zstd: '.zst' };

function perHigh(segmentBytes: number): bigint {
  return 0x1_0000_0000n / BigInt(segmentBytes);
}

function hex(number: bigint): string {
  return number.toString(16).toUpperCase().padStart(8, '0');
}
