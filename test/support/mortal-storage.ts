import type { DiskStorage } from '../../src/storage/disk.ts';
import type { Content, Storage } from '../../src/storage/storage.ts';

/** Of an upload in parts of 8 MiB, some have been sent by then. */
const SEVERAL_PARTS = 20 * 1024 * 1024;
export const SEVERAL_PARTS_TEXT = ' after several parts';

/** Told of each moment at which the process may be made to die: what is about to happen, or has just happened. */
export type Moment = (name: string) => void;

/** `inner`, which tells before and after everything that changes what is stored, and at every piece that is uploaded. */
export function mortal<T extends Storage>(inner: T, moment: Moment): T {
  const { name } = inner;
  const protection = inner.protection?.bind(inner);
  const storage: Storage = {
    name,
    location: (key) => inner.location(key),
    async put(key, content, signal) {
      moment(`${name} before put ${key}`);
      const result = await inner.put(key, watched(key, content), signal);
      moment(`${name} after put ${key}`);
      return result;
    },
    get: (key, range, signal) => inner.get(key, range, signal),
    head: (key, signal) => inner.head(key, signal),
    list: (prefix, signal) => inner.list(prefix, signal),
    async remove(key, signal) {
      moment(`${name} before remove ${key}`);
      await inner.remove(key, signal);
      moment(`${name} after remove ${key}`);
    },
    leftovers: (prefix, before, signal) => inner.leftovers(prefix, before, signal),
    async sweep(prefix, before, signal) {
      moment(`${name} before sweep`);
      return inner.sweep(prefix, before, signal);
    },
    async probe(signal) {
      moment(`${name} before probe`);
      await inner.probe(signal);
    },
  };
  return {
    ...storage,
    ...(protection && { protection }),
    ...('begin' in inner ? spooling(inner as unknown as DiskStorage) : {}),
  } as T;

  function watched(key: string, content: Content): Content {
    return {
      ...content,
      get replayable() {
        return content.replayable;
      },
      async *open(from) {
        let bytes = from ?? 0;
        for await (const chunk of content.open(from)) {
          moment(`${name} piece of ${key}${bytes >= SEVERAL_PARTS ? SEVERAL_PARTS_TEXT : ''}`);
          bytes += chunk.length;
          yield chunk;
        }
      },
    };
  }

  function spooling(disk: DiskStorage): Pick<DiskStorage, 'root' | 'begin'> {
    return {
      root: disk.root,
      async begin(key) {
        moment(`${name} before begin ${key}`);
        const file = await disk.begin(key);
        return {
          path: file.path,
          get length() {
            return file.length;
          },
          async write(bytes) {
            moment(`${name} before write ${key}`);
            await file.write(bytes);
          },
          read: (into, position) => file.read(into, position),
          async publish() {
            moment(`${name} before publish ${key}`);
            await file.publish();
            moment(`${name} after publish ${key}`);
          },
          discard: () => file.discard(),
          close: () => file.close(),
        };
      },
    };
  }
}
