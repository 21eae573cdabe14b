import type { BaseArchive } from '../catalog/base-manifest.ts';
import { compressFrame } from '../codec/frame.ts';
import type { CodecName } from '../codec/codec.ts';
import type { ReplicatedWrite } from '../storage/replicated-write.ts';

export const FRAME_BYTES = 4 * 1024 * 1024;

export interface CompressOptions {
  readonly codec: CodecName;
  readonly level: number;
  /** Frames that are compressed at the same time. */
  readonly workers: number;
}

/** Bytes of an archive on their way to storage, compressed frame by frame, several frames at a time. */
export class CompressedArchive {
  readonly #write: ReplicatedWrite;
  readonly #options: CompressOptions;
  readonly #frames: number[] = [];
  /** Buffers of frames that are compressed already: new ones would cost a page fault for each 4 KiB. */
  readonly #spare: Buffer<ArrayBuffer>[] = [];
  #buffer = Buffer.allocUnsafeSlow(FRAME_BYTES);
  #filled = 0;
  #raw = 0;
  /** Frames that are being compressed or wait for their turn to be stored, oldest first. */
  readonly #pending: Promise<void>[] = [];
  #stored: Promise<void> = Promise.resolve();

  constructor(write: ReplicatedWrite, options: CompressOptions) {
    this.#write = write;
    this.#options = options;
  }

  /** Copies the bytes. A returned promise says when more should come. */
  add(bytes: Uint8Array): Promise<void> | undefined {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(bytes.length - at, FRAME_BYTES - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
      if (this.#filled === FRAME_BYTES) this.#compress();
    }
    this.#raw += bytes.length;
    return this.#pending.length > this.#options.workers ? this.#pending[0] : undefined;
  }

  /** Resolves when the last byte is with the storage, which has yet to be told that it was the last. */
  async end(): Promise<Omit<BaseArchive, 'name' | 'sha256'>> {
    if (this.#filled > 0) this.#compress();
    await this.#stored;
    return { bytes: this.#write.size, rawBytes: this.#raw, frameBytes: FRAME_BYTES, frames: this.#frames };
  }

  #compress(): void {
    const raw = this.#buffer.subarray(0, this.#filled);
    const used = this.#buffer;
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(FRAME_BYTES);
    this.#filled = 0;
    const { codec, level } = this.#options;
    const frame = compressFrame(codec, raw, level).finally(() => this.#spare.push(used));
    // Rejections are seen through `#stored`, in order.
    frame.catch(() => undefined);
    const before = this.#stored;
    const stored = (async () => {
      await before;
      const bytes = await frame;
      this.#frames.push(bytes.length);
      await this.#write.append(bytes);
      void this.#pending.shift();
    })();
    stored.catch(() => undefined);
    this.#stored = stored;
    this.#pending.push(stored);
  }
}
