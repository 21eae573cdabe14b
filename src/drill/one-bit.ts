import type { Storage } from '../storage/storage.ts';

/** `inner`, except that one bit of `key` is the other way round whenever it is read: a copy damaged on purpose, without copying it. */
export function withFlippedBit(inner: Storage, key: string, at: number): Storage {
  return {
    name: inner.name,
    location: (each) => inner.location(each),
    async *get(each, range, signal) {
      let position = range?.offset ?? 0;
      for await (const chunk of inner.get(each, range, signal)) {
        const here = each === key && at >= position && at < position + chunk.length;
        yield here ? flipped(chunk, at - position) : chunk;
        position += chunk.length;
      }
    },
    head: (each, signal) => inner.head(each, signal),
    list: (prefix, signal) => inner.list(prefix, signal),
    probe: (signal) => inner.probe(signal),
    put: (each) => readOnly(each),
    remove: (each) => readOnly(each),
    leftovers: (prefix, before, signal) => inner.leftovers(prefix, before, signal),
    sweep: (prefix) => readOnly(prefix),
  };
}

function flipped(chunk: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(chunk);
  copy[at]! ^= 1;
  return copy;
}

function readOnly(key: string): Promise<never> {
  return Promise.reject(new Error(`a damaged view of ${key} cannot be written through`));
}
