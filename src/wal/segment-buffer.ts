import { open } from 'node:fs/promises';

/** What is kept while nothing is read; larger segments than the usual ones get a buffer each. */
const KEPT_BYTES = 64 * 2 ** 20;

/**
 * Reads files of WAL into memory that is used again. A new buffer for each of them costs collections of the whole heap, a fifth of our own
 * processor time where a source fills several segments a second (docs/performance.md).
 */
export class SegmentBuffer {
  readonly #segmentBytes: number;
  #spare: Buffer | undefined;

  constructor(segmentBytes: number) {
    this.#segmentBytes = segmentBytes;
  }

  /** The bytes of a file, of the size of a segment at most, for `use` alone: they are overwritten when it has ended. */
  async withFile<T>(path: string, use: (raw: Uint8Array) => Promise<T>): Promise<T> {
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(this.#segmentBytes);
    this.#spare = undefined;
    try {
      return await use(buffer.subarray(0, await readInto(buffer, path)));
    } finally {
      if (buffer.length <= KEPT_BYTES) this.#spare = buffer;
    }
  }
}

/** Says how many bytes there are. */
async function readInto(buffer: Buffer, path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) return length;
    }
  } finally {
    await file.close();
  }
}
