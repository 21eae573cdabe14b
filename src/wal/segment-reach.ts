import { Crc32c } from '../codec/crc32c.ts';
import { HEADER_BYTES } from './segment-header.ts';

/** `XLogPageHeaderData`: at the start of every page but the first, which has the long one. */
const SHORT_HEADER_BYTES = 24;
/** `XLogRecord`. */
const RECORD_BYTES = 24;
const CRC_AT = 20;
/** `XLP_FIRST_IS_CONTRECORD`: the page begins with the rest of a record. */
const CONTINUES = 0x0001;
/** `XLP_FIRST_IS_OVERWRITE_CONTRECORD`: the rest of the record before never came; the server crashed in the middle of it. */
const GIVEN_UP = 0x0008;
const SWITCH = 0x40;

/**
 * Up to where a segment holds WAL without a hole: the place where the record behind its last whole one begins. A file of WAL has its full
 * size from the start, so only its records tell: each has a checksum and the place of the one before. `start`: place of its first byte.
 * The rest of a record from the segment before counts once a whole record follows it, since its checksum is over both parts.
 */
export function reachOf(bytes: Uint8Array, start: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let reached = BigInt(HEADER_BYTES);
  if (bytes.length < HEADER_BYTES || view.getUint16(0, true) === 0) return start + reached;
  const pages: Pages = { bytes, view, start, pageBytes: view.getUint32(36, true) };
  if (!isPage(pages, 0) || pages.pageBytes < HEADER_BYTES) return start + reached;
  let at = view.getUint16(2, true) & CONTINUES ? behind(pages, HEADER_BYTES, view.getUint32(16, true)) : HEADER_BYTES;
  let before: bigint | undefined;
  while (at !== undefined && at < bytes.length) {
    const found = recordAt(pages, at, before);
    if (found === undefined) break;
    if (found.isWhole) before = start + BigInt(at);
    at = found.next;
    reached = BigInt(at);
  }
  return start + reached;
}

interface Pages {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: bigint;
  readonly pageBytes: number;
}

interface FoundRecord {
  /** Where the next record begins, behind the header of its page. */
  readonly next: number;
  /** One that the server has given up is none. */
  readonly isWhole: boolean;
}

/** `before`: the place of the record before, where that is known. */
function recordAt(pages: Pages, at: number, before: bigint | undefined): FoundRecord | undefined {
  const { bytes, view, start } = pages;
  const length = view.getUint32(at, true);
  if (length < RECORD_BYTES) return undefined;
  const parts: Uint8Array[] = [];
  for (const part of piecesOf(pages, at, length)) {
    if (typeof part === 'number') return { next: part, isWhole: false };
    if (part === undefined) return undefined;
    parts.push(part);
  }
  const record = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  const header = new DataView(record.buffer, record.byteOffset, RECORD_BYTES);
  const previous = header.getBigUint64(8, true);
  if (before === undefined ? previous >= start + BigInt(at) : previous !== before) return undefined;
  const crc = new Crc32c().update(record.subarray(RECORD_BYTES)).update(record.subarray(0, CRC_AT));
  if (crc.value !== header.getUint32(CRC_AT, true)) return undefined;
  // What follows the end of a segment before its time is nothing.
  if (record[17] === 0 && (record[16]! & 0xf0) === SWITCH) return { next: bytes.length, isWhole: true };
  return { next: behind(pages, at, length)!, isWhole: true };
}

/** The bytes of a record, page by page; a number: it was given up, and the next one begins there; `undefined`: it does not go on. */
function* piecesOf(pages: Pages, at: number, length: number): Generator<Uint8Array | number | undefined, void> {
  const { bytes, view, pageBytes } = pages;
  for (let from = at, left = length; ;) {
    const end = Math.min(from + left, from - (from % pageBytes) + pageBytes);
    yield bytes.subarray(from, end);
    left -= end - from;
    if (left === 0) return;
    const info = isPage(pages, end) ? view.getUint16(end + 2, true) : 0;
    from = end + SHORT_HEADER_BYTES;
    // The caller asks for no more after these.
    if (info & GIVEN_UP) yield from;
    else if (!(info & CONTINUES) || view.getUint32(end + 16, true) !== left) yield undefined;
  }
}

/** Where the record begins that follows `length` bytes from `at` on; `undefined` when they go beyond what is there. */
function behind(pages: Pages, at: number, length: number): number | undefined {
  const { pageBytes, bytes } = pages;
  for (let left = length; ;) {
    const end = at - (at % pageBytes) + pageBytes;
    // Records begin at multiples of eight bytes.
    const next = Math.ceil((at + left) / 8) * 8;
    if (next < end) return next;
    if (at + left <= end) return end === bytes.length ? end : end + SHORT_HEADER_BYTES;
    left -= end - at;
    if (!isPage(pages, end)) return undefined;
    at = end + SHORT_HEADER_BYTES;
  }
}

function isPage({ bytes, view, start }: Pages, at: number): boolean {
  return (
    at + SHORT_HEADER_BYTES <= bytes.length &&
    view.getUint16(at, true) === view.getUint16(0, true) &&
    view.getBigUint64(at + 8, true) === start + BigInt(at)
  );
}
