// The part of the WebAssembly API that row-kernel.ts uses: TypeScript has it only in the browser's library.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module);
    readonly exports: Record<string, unknown>;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  interface Global<T extends 'i32' | 'i64'> {
    readonly value: T extends 'i64' ? bigint : number;
  }
}
