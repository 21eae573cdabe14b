import { createHash } from 'node:crypto';
import { BackupError } from '../errors.ts';
import type { Content } from './storage.ts';
import type { TemporaryFile } from './temporary-file.ts';

const READ_BYTES = 1024 * 1024;

/** Told whose turn it is: `busy` when the reader has been given bytes, `idle` when it waits for more or has had them all. */
export interface ReaderWatch {
  busy(): void;
  idle(): void;
}

interface Reader {
  /** Everything before has been taken; bytes that only memory holds are kept until every reader has taken them. */
  position: number;
}

/**
 * Bytes that one writer appends and several readers follow, each at its own pace. They lie in a temporary file, so that no
 * reader holds the writer up; once the file fails, or when there is none, further bytes lie in a bounded window in memory
 * and the writer waits for the slowest reader.
 */
export class GrowingContent {
  readonly #windowBytes: number;
  readonly #expectedSize: number | undefined;
  readonly #hash = createHash('sha256');
  readonly #readers = new Set<Reader>();
  #window: { readonly start: number; readonly bytes: Uint8Array }[] = [];
  #file: TemporaryFile | undefined;
  #fileTakesMore = false;
  #onFile = 0;
  #total = 0;
  #sha256: string | undefined;
  #failure: { readonly reason: unknown } | undefined;
  #changed = Promise.withResolvers<undefined>();

  constructor(options: { windowBytes: number; expectedSize?: number | undefined }) {
    this.#windowBytes = options.windowBytes;
    this.#expectedSize = options.expectedSize;
  }

  /** Bytes appended. */
  get size(): number {
    return this.#total;
  }

  /** SHA-256 (hex) of the whole; `undefined` before {@link end}. */
  get sha256(): string | undefined {
    return this.#sha256;
  }

  /** Whether a file holds every byte so far. */
  get isOnFile(): boolean {
    return this.#fileTakesMore;
  }

  /** To be called before the first append. */
  useFile(file: TemporaryFile): void {
    this.#file = file;
    this.#fileTakesMore = true;
  }

  /**
   * Appends `bytes` and takes their buffer over: once they are in the file its memory is given back, and the caller's view of
   * it is empty. Resolves when they are in the file or, without one, when the window has room again. Calls must not overlap. `onFileError` is told once, when the file takes no more.
   */
  async append(bytes: Uint8Array, onFileError: (error: unknown) => void): Promise<void> {
    this.#throwIfFailed();
    const { length } = bytes;
    this.#hash.update(bytes);
    if (this.#file && this.#fileTakesMore) {
      try {
        await this.#file.write(bytes);
        this.#onFile += bytes.length;
      } catch (error) {
        this.#fileTakesMore = false;
        onFileError(error);
      }
    }
    if (!this.#fileTakesMore) this.#window.push({ start: this.#total, bytes });
    this.#total += length;
    if (this.#fileTakesMore) giveBack(bytes);
    this.#notify();
    while (this.#inMemory() > this.#windowBytes && this.#readers.size > 0 && !this.#failure) await this.#changed.promise;
    this.#throwIfFailed();
  }

  /** Nothing follows: readers that have taken everything come to their end. */
  end(): void {
    this.#sha256 = this.#hash.digest('hex');
    this.#notify();
  }

  /** Every reader, and the writer, throws `reason` from now on. */
  fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#window = [];
    this.#notify();
  }

  /** Adds a reader. It holds bytes in memory back until `leave` is called, so that must not be forgotten. */
  follow(watch: ReaderWatch): { readonly content: Content; leave(): void } {
    const reader: Reader = { position: 0 };
    this.#readers.add(reader);
    const replayable = () => this.#fileTakesMore;
    return {
      content: {
        open: (from = 0) => this.#read(reader, from, watch),
        get replayable() {
          return replayable();
        },
        ...(this.#expectedSize !== undefined && { expectedSize: this.#expectedSize }),
      },
      leave: () => {
        this.#readers.delete(reader);
        this.#free();
      },
    };
  }

  async *#read(reader: Reader, from: number, watch: ReaderWatch): AsyncGenerator<Uint8Array, void, undefined> {
    let buffer: Uint8Array | undefined;
    let position = from;
    watch.idle();
    for (;;) {
      this.#throwIfFailed();
      let chunk: Uint8Array;
      if (position < this.#onFile) {
        buffer ??= Buffer.allocUnsafe(READ_BYTES);
        const read = await this.#file!.read(buffer.subarray(0, Math.min(READ_BYTES, this.#onFile - position)), position);
        if (read === 0) throw lost(position);
        chunk = buffer.subarray(0, read);
      } else if (position < this.#total) {
        chunk = this.#fromMemory(position);
      } else if (this.#sha256 !== undefined) {
        return;
      } else {
        await this.#changed.promise;
        continue;
      }
      watch.busy();
      yield chunk;
      watch.idle();
      position += chunk.length;
      reader.position = position;
      this.#free();
    }
  }

  #fromMemory(position: number): Uint8Array {
    const found = this.#window.find(({ start, bytes }) => start <= position && position < start + bytes.length);
    if (!found) throw lost(position);
    return found.bytes.subarray(position - found.start);
  }

  #inMemory(): number {
    return this.#window.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #free(): void {
    const needed = Math.min(...Array.from(this.#readers, ({ position }) => position));
    const kept = this.#window.filter(({ start, bytes }) => start + bytes.length > needed);
    if (kept.length < this.#window.length || this.#readers.size === 0) {
      this.#window = kept;
      this.#notify();
    }
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<undefined>();
    resolve(undefined);
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.reason;
  }
}

function lost(position: number): BackupError {
  return new BackupError('STORAGE_FAILED', `the bytes from ${position} on are no longer at hand to be sent again`, {
    hint: 'The copy is made again from another target once one is whole.',
  });
}

/** Left to the garbage collector, a fast writer's buffers pile up to a hundred megabytes before it looks at them. */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
