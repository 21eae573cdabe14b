import { BackupError } from '../errors.ts';
import { release } from '../codec/release.ts';

/** A stream of chunks read in pieces of the reader's choosing. The chunks are used up: their memory is freed. */
export interface ByteStream {
  /** The next `length` bytes, in a buffer of their own. Throws `BACKUP_DAMAGED` when the stream ends before. */
  take(length: number): Promise<Buffer>;
  /** Whether nothing follows. */
  ended(): Promise<boolean>;
  close(): Promise<void>;
}

export function openBytes(chunks: AsyncIterable<Uint8Array>): ByteStream {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array();
  let rest = chunk;

  async function more(): Promise<boolean> {
    release(chunk);
    const next = await iterator.next();
    rest = chunk = next.done === true ? new Uint8Array() : next.value;
    return next.done !== true;
  }

  return {
    async take(length) {
      const taken = Buffer.allocUnsafeSlow(length);
      let filled = 0;
      for (;;) {
        const part = rest.subarray(0, length - filled);
        taken.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
        if (filled === length) return taken;
        if (!(await more()))
          throw new BackupError('BACKUP_DAMAGED', `the file ends ${length - filled} bytes before the end of a member`);
      }
    },
    async ended() {
      while (rest.length === 0) if (!(await more())) return true;
      return false;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
