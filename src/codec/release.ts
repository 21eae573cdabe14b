/** Smaller ones may share their memory with others, and are not worth it. */
const LARGE = 256 * 1024;

/**
 * Frees the memory of a large buffer at once. Left to the garbage collector, every few blocks of rows cost a collection of the whole
 * heap (docs/performance.md). Only for a buffer that nobody reads any more, a socket or another thread least of all: it and whatever
 * was cut from it are empty afterwards.
 */
export function release(buffer: Uint8Array): void {
  const memory = buffer.buffer;
  if (memory instanceof ArrayBuffer && memory.byteLength >= LARGE) memory.transfer(0);
}
