const MASK = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

const rotate = (x: bigint, r: bigint): bigint => ((x << r) | (x >> (64n - r))) & MASK;

function mix(k: bigint): bigint {
  let x = k ^ (k >> 33n);
  x = (x * 0xff51afd7ed558ccdn) & MASK;
  x ^= x >> 33n;
  x = (x * 0xc4ceb9fe1a85ec53n) & MASK;
  return x ^ (x >> 33n);
}

/** MurmurHash3_x64_128 with seed 0, as `h2 · 2^64 + h1`, byte by byte and slow. */
export function murmur128(key: Buffer): bigint {
  let h1 = 0n;
  let h2 = 0n;
  const word = (from: number): bigint => {
    let value = 0n;
    for (let i = 7; i >= 0; i -= 1) value = (value << 8n) | BigInt(key[from + i] ?? 0);
    return value;
  };
  const scramble1 = (k: bigint): bigint => (rotate((k * C1) & MASK, 31n) * C2) & MASK;
  const scramble2 = (k: bigint): bigint => (rotate((k * C2) & MASK, 33n) * C1) & MASK;
  const blocks = Math.floor(key.length / 16);
  for (let i = 0; i < blocks; i += 1) {
    h1 ^= scramble1(word(i * 16));
    h1 = (((rotate(h1, 27n) + h2) & MASK) * 5n + 0x52dce729n) & MASK;
    h2 ^= scramble2(word(i * 16 + 8));
    h2 = (((rotate(h2, 31n) + h1) & MASK) * 5n + 0x38495ab5n) & MASK;
  }
  if (key.length % 16 > 8) h2 ^= scramble2(word(blocks * 16 + 8));
  if (key.length % 16 > 0) h1 ^= scramble1(word(blocks * 16));
  const length = BigInt(key.length);
  h1 ^= length;
  h2 ^= length;
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = mix(h1);
  h2 = mix(h2);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  return (h2 << 64n) | h1;
}

/** The digest of `docs/backup-format.md`, row by row. */
export function referenceDigest(rows: readonly Buffer[]): string {
  let sum = 0n;
  for (const row of rows) sum = (sum + murmur128(row)) & ((1n << 128n) - 1n);
  return sum.toString(16).padStart(32, '0');
}
