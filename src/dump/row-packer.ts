import { COPY_END } from '../codec/copy-block.ts';
import { KERNEL_HEAP, loadRowKernel, type RowKernel } from '../codec/row-kernel.ts';
import type { CopyUnit } from './copy-unit.ts';

/** A raw member: a view into the packer's memory that is valid only during the call it is handed over in. */
export interface RawMember {
  readonly table: number;
  readonly raw: Uint8Array;
  readonly rows: number;
  readonly continues: boolean;
}

const WINDOW = 256 * 1024;

/**
 * Packs the CopyData messages of one COPY after another into raw members of about `chunkBytes`, cut at row ends, each a
 * complete COPY block. A row that does not fit into twice that is spread over members that continue one another.
 */
export class RowPacker {
  readonly #kernel: RowKernel;
  readonly #chunkBytes: number;
  readonly #emit: (member: RawMember) => void;
  /** Where a member's text begins in the kernel's memory; the window for incoming bytes lies before it. */
  readonly #base = KERNEL_HEAP + WINDOW;
  #header: Uint8Array = new Uint8Array();
  #table = 0;
  #open = false;
  #textBytes = 0;

  constructor(chunkBytes: number, emit: (member: RawMember) => void) {
    this.#chunkBytes = chunkBytes;
    this.#emit = emit;
    this.#kernel = loadRowKernel(WINDOW + 2 * chunkBytes + 2 * WINDOW);
  }

  /** A COPY begins. */
  begin(unit: CopyUnit): void {
    this.#header = unit.header;
    this.#table = unit.table;
    this.#open = false;
    this.#textBytes = 0;
    this.#kernel.exports.startTable();
    this.#startMember(new Uint8Array());
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

  /** The COPY is over: hands over what is left and says what went by. */
  end(): { readonly rows: number; readonly bytes: number; readonly digest: string } {
    const { exports } = this.#kernel;
    if (exports.out.value > exports.rowEnd.value) throw new Error('the server ended COPY in mid-row');
    if (this.#open || exports.rows.value > 0) this.#cutBlock();
    return { ...this.#kernel.tableDigest(), bytes: this.#textBytes };
  }

  #cutIfFull(): void {
    const { exports } = this.#kernel;
    const length = exports.out.value - this.#base;
    if (length < this.#chunkBytes) return;
    const whole = exports.rowEnd.value - this.#base - this.#headerLength();
    if (whole >= this.#chunkBytes / 2 || (whole > 0 && length >= 2 * this.#chunkBytes)) this.#cutBlock();
    else if (length >= 2 * this.#chunkBytes) this.#cutRow();
  }

  /** Hands over the rows so far as (the end of) a complete block; a row that has begun moves to the next one. */
  #cutBlock(): void {
    const { exports, bytes: memory } = this.#kernel;
    const end = exports.rowEnd.value;
    const begun = Buffer.from(memory.subarray(end, exports.out.value));
    memory.set(COPY_END, end);
    this.#handOver(end, COPY_END.length, false);
    this.#open = false;
    this.#startMember(begun);
  }

  /** Hands over a part of one very long row. */
  #cutRow(): void {
    const { exports, bytes: memory } = this.#kernel;
    exports.absorbBegun();
    const end = exports.rowStart.value;
    const begun = Buffer.from(memory.subarray(end, exports.out.value));
    this.#handOver(end, 0, true);
    this.#open = true;
    this.#startMember(begun);
  }

  #handOver(end: number, trailer: number, continues: boolean): void {
    this.#textBytes += end - this.#base - this.#headerLength();
    const raw = this.#kernel.bytes.subarray(this.#base, end + trailer);
    this.#emit({ table: this.#table, raw, rows: this.#kernel.exports.rows.value, continues });
  }

  #startMember(begun: Uint8Array): void {
    const { exports, bytes: memory } = this.#kernel;
    if (!this.#open) memory.set(this.#header, this.#base);
    const start = this.#base + this.#headerLength();
    memory.set(begun, start);
    exports.startMember(start, begun.length);
  }

  #headerLength(): number {
    return this.#open ? 0 : this.#header.length;
  }
}
