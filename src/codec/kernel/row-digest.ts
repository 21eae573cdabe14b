// AssemblyScript, compiled to `src/codec/row-digest.wasm` by `npm run build:kernel`.
//
// One pass over COPY text: rows are digested where they lie, and on the way out of a server's CopyData messages they are
// packed one behind the other. The digest is defined in docs/backup-format.md; test/unit/codec compares it with a slow
// reference. Addresses are given by the caller, who owns the memory; up to 16 bytes behind a row are read, never used.

const C1: u64 = 0x87c37b91114253d5;
const C2: u64 = 0x4cf5ad432745937f;
const LINE_END: u8 = 0x0a;
const COPY_DATA: u8 = 0x64;

/** Where the next byte of text goes. */
export let out: usize = 0;
/** The first byte of the row begun that is not in its hash yet; 16-byte blocks of it may be absorbed before it ends. */
export let rowStart: usize = 0;
/** Behind the last whole row. */
export let rowEnd: usize = 0;
/** Rows ended since `startMember`. */
export let rows: u32 = 0;
/** Rows ended, and the sum of their hashes, since `startTable`. */
export let tableRows: u64 = 0;
export let sumLow: u64 = 0;
export let sumHigh: u64 = 0;
/** A CopyData message did not end with a line end: not the one row a message that the protocol promises. */
export let malformed: bool = false;

let h1: u64 = 0;
let h2: u64 = 0;
let absorbed: u64 = 0;
let messageLeft: u32 = 0;
let scanned: usize = 0;

export function startTable(): void {
  tableRows = 0;
  sumLow = 0;
  sumHigh = 0;
  h1 = 0;
  h2 = 0;
  absorbed = 0;
  messageLeft = 0;
  malformed = false;
}

/** The text goes on at `at`, where `pending` bytes of a row that has begun may already lie. */
export function startMember(at: usize, pending: usize): void {
  rowStart = at;
  rowEnd = at;
  out = at + pending;
  scanned = out;
  rows = 0;
}

/** Bytes of the row begun that its hash holds already. */
export function absorbedBytes(): f64 {
  return <f64>absorbed;
}

// @ts-ignore: decorator
@inline
function rotate(x: u64, r: u64): u64 {
  return rotl<u64>(x, r);
}

// @ts-ignore: decorator
@inline
function mix(k: u64): u64 {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccd;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53;
  return k ^ (k >> 33);
}

function absorbBlocks(at: usize, end: usize): void {
  let a = h1;
  let b = h2;
  for (; at < end; at += 16) {
    a = (rotate(a ^ (rotate(load<u64>(at) * C1, 31) * C2), 27) + b) * 5 + 0x52dce729;
    b = (rotate(b ^ (rotate(load<u64>(at, 8) * C2, 33) * C1), 31) + a) * 5 + 0x38495ab5;
  }
  h1 = a;
  h2 = b;
}

/** Ends the row whose last bytes are `[rowStart, end)`: adds its hash to the sum. */
function endRow(end: usize): void {
  // For `npm run bench`, which measures what the digest costs: `asc --use WITHOUT_DIGEST=1`.
  if (isDefined(WITHOUT_DIGEST)) {
    rows += 1;
    tableRows += 1;
    return;
  }
  const length = end - rowStart;
  const blocks = length & ~15;
  absorbBlocks(rowStart, rowStart + blocks);
  let a = h1;
  let b = h2;
  const rest = length - blocks;
  if (rest != 0) {
    const at = rowStart + blocks;
    let k1 = load<u64>(at);
    let k2: u64 = 0;
    if (rest > 8) k2 = load<u64>(at, 8) & (~(<u64>0) >> (<u64>(16 - rest) << 3));
    else k1 &= ~(<u64>0) >> (<u64>(8 - rest) << 3);
    b ^= rotate(k2 * C2, 33) * C1;
    a ^= rotate(k1 * C1, 31) * C2;
  }
  const total = absorbed + <u64>length;
  a ^= total;
  b ^= total;
  a += b;
  b += a;
  a = mix(a);
  b = mix(b);
  a += b;
  b += a;
  const low = sumLow + a;
  sumHigh += b + <u64>(low < a);
  sumLow = low;
  h1 = 0;
  h2 = 0;
  absorbed = 0;
  rows += 1;
  tableRows += 1;
}

/** Takes what is whole of a row that has not ended into its hash; the bytes before `rowStart` may then leave the memory. */
export function absorbBegun(): void {
  const blocks = (out - rowStart) & ~15;
  absorbBlocks(rowStart, rowStart + blocks);
  absorbed += blocks;
  rowStart += blocks;
}

/**
 * Strips CopyData messages from `[from, to)` and packs their rows at `out`. Stops before a message of another kind or one
 * whose header is not whole. Returns the address behind the last byte used.
 */
export function unframe(from: usize, to: usize): usize {
  let at = from;
  while (true) {
    if (messageLeft == 0) {
      if (to - at < 5 || load<u8>(at) != COPY_DATA) break;
      messageLeft = bswap<u32>(load<u32>(at, 1)) - 4;
      at += 5;
      if (messageLeft == 0) {
        malformed = true;
        continue;
      }
    }
    const available = <u32>(to - at);
    const n = messageLeft < available ? messageLeft : available;
    if (n <= 256) {
      // Rows are mostly short: whole vectors, which may run over into what comes next, beat a call of memory.copy.
      for (let i: u32 = 0; i < n; i += 16) v128.store(out + i, v128.load(at + i));
    } else {
      memory.copy(out, at, n);
    }
    out += n;
    at += n;
    messageLeft -= n;
    if (messageLeft != 0) break;
    if (load<u8>(out - 1) != LINE_END) malformed = true;
    endRow(out - 1);
    rowStart = out;
    rowEnd = out;
  }
  return at;
}

/** Ends every row of the text that lies between the last call's end and `to`. */
export function scan(to: usize): void {
  out = to;
  const needle = i8x16.splat(<i8>LINE_END);
  let at = scanned;
  while (at < to) {
    let mask = i8x16.bitmask(i8x16.eq(v128.load(at), needle));
    if (to - at < 16) mask &= (1 << <i32>(to - at)) - 1;
    while (mask != 0) {
      const end = at + ctz(mask);
      endRow(end);
      rowStart = end + 1;
      rowEnd = rowStart;
      mask &= mask - 1;
    }
    at += 16;
  }
  scanned = to;
}
