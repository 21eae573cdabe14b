/** Digest of the rows of one table; see `docs/backup-format.md`. */
export interface RowDigest {
  /** The next bytes of COPY text: any number of rows, the last of which may be cut anywhere. No header, no `\.`. */
  update(text: Uint8Array): void;
  /** Throws when the text so far ends in mid-row. */
  result(): { readonly rows: number; readonly digest: string };
}

export function createRowDigest(): RowDigest {
  throw new Error('not built yet');
}

/** Adds digests as if the rows had been in one table: the sum modulo 2^128, as 32 hex digits. */
export function addDigests(a: string, b: string): string {
  return ((BigInt(`0x${a}`) + BigInt(`0x${b}`)) & ((1n << 128n) - 1n)).toString(16).padStart(32, '0');
}
