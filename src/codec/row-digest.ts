import { KERNEL_HEAP, loadRowKernel } from './row-kernel.ts';

/** Digest of the rows of one table; see `docs/backup-format.md`. */
export interface RowDigest {
  /** The next bytes of COPY text: any number of rows, the last of which may be cut anywhere. No header, no `\.`. */
  update(text: Uint8Array): void;
  /** Throws when the text so far ends in mid-row. */
  result(): { readonly rows: number; readonly digest: string };
}

export const EMPTY_DIGEST = '0'.repeat(32);

/** Text taken at a time. */
const WINDOW = 1024 * 1024;
/** The begun row is kept until it is longer than this; then its whole blocks go into its hash. */
const KEEP = 256 * 1024;

export function createRowDigest(): RowDigest {
  const kernel = loadRowKernel(WINDOW + KEEP);
  const { exports, bytes } = kernel;
  exports.startTable();
  exports.startMember(KERNEL_HEAP, 0);
  return {
    update(text) {
      for (let at = 0; at < text.length; at += WINDOW) {
        const part = text.subarray(at, at + WINDOW);
        const out = exports.out.value;
        bytes.set(part, out);
        exports.scan(out + part.length);
        moveBegunRow();
      }
    },
    result() {
      if (exports.out.value > KERNEL_HEAP || exports.absorbedBytes() > 0) throw new Error('the text ends in mid-row');
      return kernel.tableDigest();
    },
  };

  /** Moves the row that has begun to the start of the memory, so that the next window has room. */
  function moveBegunRow(): void {
    if (exports.out.value - exports.rowStart.value > KEEP) exports.absorbBegun();
    const start = exports.rowStart.value;
    const pending = exports.out.value - start;
    bytes.copyWithin(KERNEL_HEAP, start, start + pending);
    exports.startMember(KERNEL_HEAP, pending);
  }
}

/** Adds digests as if the rows had been in one table: the sum modulo 2^128, as 32 hex digits. */
export function addDigests(a: string, b: string): string {
  return ((BigInt(`0x${a}`) + BigInt(`0x${b}`)) & ((1n << 128n) - 1n)).toString(16).padStart(32, '0');
}
