import { createReadStream } from 'node:fs';
import { diskError, onDisk } from './disk-error.ts';
import { stat } from 'node:fs/promises';
import type { Content } from './storage.ts';

const READ_BYTES = 1024 * 1024;

/** Bytes at hand (a manifest) as content to be stored. */
export function bytesContent(bytes: Uint8Array): Content {
  return {
    async *open(from = 0) {
      if (from < bytes.length) yield bytes.subarray(from);
    },
    replayable: true,
    size: bytes.length,
  };
}

/** A finished local file (a side file) as content to be stored. */
export async function fileContent(path: string): Promise<Content> {
  const { size } = await onDisk('read', path, () => stat(path));
  return {
    async *open(from = 0) {
      try {
        yield* createReadStream(path, { start: from, highWaterMark: READ_BYTES }) as AsyncIterable<Buffer>;
      } catch (error) {
        throw diskError(error, 'read', path);
      }
    },
    replayable: true,
    size,
  };
}
