import { BackupError } from '../errors.ts';

/** A stream of chunks read in pieces of the reader's choosing. */
export interface ByteStream {
  /** The next `length` bytes, in a buffer of their own. Throws `BACKUP_DAMAGED` when the stream ends before. */
  take(length: number): Promise<Buffer>;
  /** Whether nothing follows. */
  ended(): Promise<boolean>;
  close(): Promise<void>;
}

export function openBytes(chunks: AsyncIterable<Uint8Array>): ByteStream {
  const iterator = chunks[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
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
        const next = await iterator.next();
        if (next.done)
          throw new BackupError('BACKUP_DAMAGED', `the file ends ${length - filled} bytes before the end of a member`);
        rest = next.value;
      }
    },
    async ended() {
      while (rest.length === 0) {
        const next = await iterator.next();
        if (next.done) return true;
        rest = next.value;
      }
      return false;
    },
    async close() {
      await iterator.return?.();
    },
  };
}
