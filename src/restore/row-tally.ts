import { copyRowsOffset, COPY_END } from '../codec/copy-block.ts';
import { createRowDigest, EMPTY_DIGEST } from '../codec/row-digest.ts';

export interface Tally {
  readonly rows: number;
  readonly digest: string;
}

/** Counts and digests the rows of COPY blocks, block by block, for as many tables as there are. */
export interface RowTally {
  /**
   * The next member of a block. `first` and `last` say where in its block it stands. Resolves to the digest of the block with its last
   * member. Throws when the text is not that of a COPY block; what came before of it is forgotten.
   */
  add(raw: Buffer, first: boolean, last: boolean): Tally | undefined;
  /** Forgets a block that will not be continued. */
  forget(): void;
}

const MODULUS = 1n << 128n;
const NOTHING: Tally = { rows: 0, digest: EMPTY_DIGEST };

/** One digest runs through all blocks; what a block adds to its sum is the block's own. */
export function createRowTally(): RowTally {
  let digest = createRowDigest();
  let before = NOTHING;

  function forget(): void {
    digest = createRowDigest();
    before = NOTHING;
  }

  return {
    forget,
    add(raw, first, last) {
      try {
        const start = first ? copyRowsOffset(raw) : 0;
        if (start === undefined) throw new Error('it does not begin with COPY');
        const end = last ? raw.length - COPY_END.length : raw.length;
        if (end < start || (last && !raw.subarray(end).equals(COPY_END))) throw new Error('it does not end a COPY block');
        digest.update(raw.subarray(start, end));
        if (!last) return undefined;
        const after = digest.result();
        const block = { rows: after.rows - before.rows, digest: subtract(after.digest, before.digest) };
        before = after;
        return block;
      } catch (error) {
        forget();
        throw error;
      }
    },
  };
}

function subtract(a: string, b: string): string {
  return ((BigInt(`0x${a}`) - BigInt(`0x${b}`) + MODULUS) % MODULUS).toString(16).padStart(32, '0');
}
