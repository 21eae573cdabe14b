import { createHash } from 'node:crypto';
import { systemClock, type Clock } from '../clock.ts';
import { BackupError } from '../errors.ts';
import { abortable } from './abortable.ts';
import type { Storage } from './storage.ts';
import { checkKey, compareKeys } from './storage-key.ts';

const READ_BYTES = 64 * 1024;

/** A target in this process's memory, for tests and rehearsals: it forgets everything when the process ends. */
export function createMemoryStorage(options: { readonly name: string; readonly clock?: Clock }): Storage {
  const { name, clock = systemClock } = options;
  const objects = new Map<string, { readonly bytes: Buffer; readonly modified: Date }>();
  const location = (key: string) => `memory:${name}/${checkKey(key)}`;

  return {
    name,
    location,

    async put(key, content, signal) {
      checkKey(key);
      signal?.throwIfAborted();
      const chunks: Buffer[] = [];
      for await (const chunk of abortable(content.open(), signal)) chunks.push(Buffer.from(chunk));
      signal?.throwIfAborted();
      const bytes = Buffer.concat(chunks);
      objects.set(key, { bytes, modified: clock.now() });
      return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex'), checkedBy: 'none' };
    },

    async *get(key, range, signal) {
      signal?.throwIfAborted();
      const found = objects.get(checkKey(key));
      if (!found) {
        throw new BackupError('STORAGE_MISSING', `cannot read ${location(key)}: it does not exist`, {
          hint: 'Look at what is there with `backup-manager list-backups`.',
        });
      }
      const offset = range?.offset ?? 0;
      const end = offset + (range?.length ?? Math.max(found.bytes.length - offset, 0));
      for (let at = offset; at < Math.min(end, found.bytes.length); at += READ_BYTES) {
        signal?.throwIfAborted();
        yield Buffer.from(found.bytes.subarray(at, Math.min(at + READ_BYTES, end)));
      }
      if (end > found.bytes.length) {
        throw new BackupError(
          'STORAGE_CORRUPT',
          `${location(key)} holds ${found.bytes.length} bytes where at least ${end} were expected`,
          {
            hint: 'Use the copy on another target.',
          },
        );
      }
    },

    async head(key, signal) {
      signal?.throwIfAborted();
      const found = objects.get(checkKey(key));
      return found && { key, size: found.bytes.length, modified: found.modified };
    },

    async *list(prefix, signal) {
      for (const key of [...objects.keys()].sort(compareKeys)) {
        signal?.throwIfAborted();
        const found = objects.get(key);
        if (found && key.startsWith(prefix)) yield { key, size: found.bytes.length, modified: found.modified };
      }
    },

    async remove(key, signal) {
      signal?.throwIfAborted();
      objects.delete(checkKey(key));
    },

    leftovers: () => Promise.resolve([]),
    sweep: () => Promise.resolve([]),
    async probe(signal) {
      signal?.throwIfAborted();
    },
  };
}
