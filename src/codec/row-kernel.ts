import { readFileSync } from 'node:fs';

interface KernelExports {
  readonly memory: WebAssembly.Memory;
  readonly out: WebAssembly.Global<'i32'>;
  readonly rowStart: WebAssembly.Global<'i32'>;
  readonly rowEnd: WebAssembly.Global<'i32'>;
  readonly rows: WebAssembly.Global<'i32'>;
  readonly tableRows: WebAssembly.Global<'i64'>;
  readonly sumLow: WebAssembly.Global<'i64'>;
  readonly sumHigh: WebAssembly.Global<'i64'>;
  readonly malformed: WebAssembly.Global<'i32'>;
  startTable(): void;
  startMember(at: number, pending: number): void;
  absorbedBytes(): number;
  absorbBegun(): void;
  unframe(from: number, to: number): number;
  scan(to: number): void;
}

/** The row kernel (`kernel/row-digest.ts`) with a memory of its own. Addresses are offsets into `bytes`. */
export interface RowKernel {
  readonly exports: KernelExports;
  /** The kernel's memory. */
  readonly bytes: Buffer;
  /** Rows and digest since `startTable`. */
  tableDigest(): { readonly rows: number; readonly digest: string };
}

/** The first page belongs to the compiled program; callers lay out the rest. */
export const KERNEL_HEAP = 64 * 1024;

const PAGE = 64 * 1024;
/** The kernel reads and writes whole vectors, up to 16 bytes over an end. */
const SLACK = 64;

/** Loads the kernel with room for `capacity` bytes behind {@link KERNEL_HEAP}. */
export function loadRowKernel(capacity: number): RowKernel {
  const code = readFileSync(new URL('./row-digest.wasm', import.meta.url));
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code));
  const exports = instance.exports as unknown as KernelExports;
  const wanted = Math.ceil((KERNEL_HEAP + capacity + SLACK) / PAGE);
  const present = exports.memory.buffer.byteLength / PAGE;
  if (wanted > present) exports.memory.grow(wanted - present);
  return {
    exports,
    bytes: Buffer.from(exports.memory.buffer),
    tableDigest: () => ({
      rows: Number(exports.tableRows.value),
      digest: hex64(exports.sumHigh.value) + hex64(exports.sumLow.value),
    }),
  };
}

function hex64(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}
