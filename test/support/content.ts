import { createHash } from 'node:crypto';
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

/** The bytes from `offset` on; each 4 bytes hold their own index, mixed. */
export function pattern(offset: number, length: number, seed = 1): Buffer {
  const first = Math.floor(offset / 4);
  const words = new Uint32Array(Math.ceil((offset + length) / 4) - first);
  for (let i = 0; i < words.length; i += 1) words[i] = Math.imul(first + i + seed, 2654435761) ^ (first + i);
  return Buffer.from(words.buffer).subarray(offset - first * 4, offset - first * 4 + length);
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
