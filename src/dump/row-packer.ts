import type { BlockEntry } from '../catalog/manifest.ts';
import { COPY_END } from '../codec/copy-block.ts';
import { KERNEL_HEAP, loadRowKernel, type RowKernel } from '../codec/row-kernel.ts';
import type { CopyUnit } from './copy-unit.ts';

/** A raw member: a view into the packer's memory that is valid only during the call it is handed over in. */
export interface RawMember {
  /** One, or the blocks of several small tables. */
  readonly blocks: readonly BlockEntry[];
  readonly raw: Uint8Array;
  readonly rows: number;
  readonly continues: boolean;
}

const WINDOW = 256 * 1024;

/**
 * Packs the CopyData messages of one COPY after another into raw members of about `chunkBytes`, cut at row ends, each made of
 * complete COPY blocks: one of a large table, as many as there is room for of small ones. A row that does not fit into twice
 * that is spread over members that continue one another.
 */
export class RowPacker {
  readonly #kernel: RowKernel;
  readonly #chunkBytes: number;
  readonly #emit: (member: RawMember) => void;
  /** Where a member's text begins in the kernel's memory; the window for incoming bytes lies before it. */
  readonly #base = KERNEL_HEAP + WINDOW;
  /** The blocks that lie whole in the memory. */
  #blocks: BlockEntry[] = [];
  /** Where the present block begins: behind those. */
  #start = this.#base;
  #unit: Pick<CopyUnit, 'table' | 'header' | 'alone'> = { table: 0, header: new Uint8Array(), alone: true };
  #open = false;
  #textBytes = 0;

  constructor(chunkBytes: number, emit: (member: RawMember) => void) {
    this.#chunkBytes = chunkBytes;
    this.#emit = emit;
    this.#kernel = loadRowKernel(WINDOW + 2 * chunkBytes + 2 * WINDOW);
  }

  /** A COPY begins. */
  begin(unit: CopyUnit): void {
    if (unit.alone) this.flush();
    this.#unit = unit;
    this.#open = false;
    this.#textBytes = 0;
    this.#kernel.exports.startTable();
    this.#startBlock(NOTHING);
  }

  /**
   * Takes bytes from the server. Returns how many were CopyData messages; the rest, if any, begins with another message
   * or with one whose header has not come in whole.
   */
  take(bytes: Uint8Array): number {
    const { exports, bytes: memory } = this.#kernel;
    let taken = 0;
    while (taken < bytes.length) {
      const part = bytes.subarray(taken, taken + WINDOW);
      memory.set(part, KERNEL_HEAP);
      const used = exports.unframe(KERNEL_HEAP, KERNEL_HEAP + part.length) - KERNEL_HEAP;
      if (exports.malformed.value !== 0) throw new Error('the server sent a CopyData message that is not one row');
      taken += used;
      this.#cutIfFull();
      // Zero: what comes next is another message, or a header that is not whole. One cut off at the window's edge only
      // comes in whole with the next window.
      if (used === 0) break;
    }
    return taken;
  }

  /** The COPY is over: says what went by. The last rows of a small table stay until their member is full, or {@link flush}. */
  end(): { readonly rows: number; readonly bytes: number; readonly digest: string } {
    const { exports } = this.#kernel;
    if (exports.out.value > exports.rowEnd.value) throw new Error('the server ended COPY in mid-row');
    if (this.#open) this.#cutBlock();
    else if (exports.rows.value > 0) this.#endBlock();
    if (this.#unit.alone || this.#start - this.#base >= this.#chunkBytes) this.flush();
    return { ...this.#kernel.tableDigest(), bytes: this.#textBytes };
  }

  /** Hands over the blocks that wait for more. Not within a COPY. */
  flush(): void {
    const blocks = this.#blocks;
    if (blocks.length === 0) return;
    const raw = this.#kernel.bytes.subarray(this.#base, this.#start);
    this.#blocks = [];
    this.#start = this.#base;
    this.#emit({ blocks, raw, rows: blocks.reduce((sum, { rows }) => sum + rows, 0), continues: false });
  }

  #cutIfFull(): void {
    const { exports } = this.#kernel;
    const length = exports.out.value - this.#base;
    if (length < this.#chunkBytes) return;
    const whole = exports.rowEnd.value - this.#start - this.#headerLength();
    if (whole >= this.#chunkBytes / 2 || (whole > 0 && (length >= 2 * this.#chunkBytes || this.#blocks.length > 0)))
      this.#cutBlock();
    else if (this.#blocks.length > 0) this.#moveBegun(this.#start + this.#headerLength());
    else if (length >= 2 * this.#chunkBytes) this.#cutRow();
  }

  /** Hands over the rows so far as (the end of) a complete block; a row that has begun moves to the next one. */
  #cutBlock(): void {
    const { exports } = this.#kernel;
    const begun = Buffer.from(this.#kernel.bytes.subarray(exports.rowEnd.value, exports.out.value));
    if (this.#open) {
      this.#handOver(exports.rowEnd.value, COPY_END, false);
      this.#open = false;
    } else {
      this.#endBlock();
      this.flush();
    }
    this.#startBlock(begun);
  }

  /** Hands over the blocks before that of a row which does not fit behind them. */
  #moveBegun(from: number): void {
    const begun = Buffer.from(this.#kernel.bytes.subarray(from, this.#kernel.exports.out.value));
    this.flush();
    this.#startBlock(begun);
  }

  /** Hands over a part of one very long row. */
  #cutRow(): void {
    const { exports } = this.#kernel;
    exports.absorbBegun();
    const end = exports.rowStart.value;
    const begun = Buffer.from(this.#kernel.bytes.subarray(end, exports.out.value));
    this.#handOver(end, NOTHING, true);
    this.#open = true;
    this.#startBlock(begun);
  }

  /** Completes the present block where it lies, without a row that has begun. */
  #endBlock(): void {
    const { exports, bytes: memory } = this.#kernel;
    const end = exports.rowEnd.value;
    this.#textBytes += end - this.#start - this.#headerLength();
    memory.set(COPY_END, end);
    const rawLength = end + COPY_END.length - this.#start;
    this.#blocks.push({ table: this.#unit.table, rawLength, rows: exports.rows.value });
    this.#start += rawLength;
  }

  /** Hands over a member of a block that is spread over several. */
  #handOver(end: number, trailer: Uint8Array, continues: boolean): void {
    const { exports, bytes: memory } = this.#kernel;
    this.#textBytes += end - this.#start - this.#headerLength();
    memory.set(trailer, end);
    const raw = memory.subarray(this.#base, end + trailer.length);
    const rows = exports.rows.value;
    this.#emit({ blocks: [{ table: this.#unit.table, rawLength: raw.length, rows }], raw, rows, continues });
  }

  #startBlock(begun: Uint8Array): void {
    const { exports, bytes: memory } = this.#kernel;
    if (!this.#open) memory.set(this.#unit.header, this.#start);
    const start = this.#start + this.#headerLength();
    memory.set(begun, start);
    exports.startMember(start, begun.length);
  }

  #headerLength(): number {
    return this.#open ? 0 : this.#unit.header.length;
  }
}

const NOTHING = new Uint8Array();
