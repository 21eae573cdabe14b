import { createCipheriv, createHash } from 'node:crypto';
import type { Content, Storage } from '../../src/storage/storage.ts';

/** `size` bytes that differ from place to place, the same for the same seed, without holding them all. */
export function patternContent(
  size: number,
  options: { chunk?: number; seed?: number; replayable?: boolean; sized?: boolean } = {},
) {
  const { chunk = 256 * 1024, seed = 1, replayable = true, sized = true } = options;
  const opened: number[] = [];
  const content: Content & { readonly opened: number[]; bytes(): Buffer; sha256(): string } = {
    opened,
    async *open(from = 0) {
      opened.push(from);
      for (let at = from; at < size; at += chunk) yield pattern(at, Math.min(chunk, size - at), seed);
    },
    replayable,
    ...(sized && { size }),
    bytes: () => pattern(0, size, seed),
    sha256() {
      const hash = createHash('sha256');
      for (let at = 0; at < size; at += chunk) hash.update(pattern(at, Math.min(chunk, size - at), seed));
      return hash.digest('hex');
    },
  };
  return content;
}

/** The bytes from `offset` on of an endless pattern: the key stream of a cipher, which can begin anywhere and costs little. */
export function pattern(offset: number, length: number, seed = 1): Buffer {
  const block = Math.floor(offset / 16);
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE(seed, 0);
  counter.writeBigUInt64BE(BigInt(block), 8);
  const skip = offset - block * 16;
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), counter)
    .update(Buffer.alloc(skip + length))
    .subarray(skip);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

export async function sha256Of(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk);
  return hash.digest('hex');
}

export async function keysOf(storage: Storage, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list(prefix)) keys.push(key);
  return keys;
}
