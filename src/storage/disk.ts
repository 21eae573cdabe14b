import { createHash } from 'node:crypto';
import { open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { absentAs, BackupError } from '../errors.ts';
import { abortable } from './abortable.ts';
import { onDisk } from './disk-error.ts';
import { checkRoot, PRIVATE, READABLE, syncFolder } from './disk-folder.ts';
import { checkMounted } from './mounted.ts';
import type { ByteRange, Leftover, ObjectInfo, Storage } from './storage.ts';
import { checkKey, compareKeys, isTemporary, temporaryKey } from './storage-key.ts';
import { createTemporaryFile, type TemporaryFile } from './temporary-file.ts';

const READ_BYTES = 1024 * 1024;

export interface DiskStorageOptions {
  readonly name: string;
  /** The backup directory. It must exist; folders below it are created as needed. */
  readonly root: string;
  /** Whether others on the machine may read what is stored: for reports. Dumps are for the backup's account only. */
  readonly readable?: boolean;
  /** Whether it must be below a mount point: `probe` then throws where it is not. */
  readonly mounted?: boolean;
}

/** A target on a file system. What it adds to {@link Storage} lets others read a file while it is being written. */
export interface DiskStorage extends Storage {
  readonly root: string;
  /** Begins what `put` would: a temporary file that becomes `key` when it is published. */
  begin(key: string): Promise<TemporaryFile>;
}

export function createDiskStorage(options: DiskStorageOptions): DiskStorage {
  const root = resolve(options.root);
  const modes = options.readable === true ? READABLE : PRIVATE;
  const pathOf = (key: string) => join(root, checkKey(key));
  const begin = (key: string) => createTemporaryFile(root, pathOf(temporaryKey(checkKey(key))), pathOf(key), modes);

  async function leftovers(prefix: string, before: Date, signal?: AbortSignal): Promise<Leftover[]> {
    const found: Leftover[] = [];
    for await (const { key, modified } of walk(root, prefix, signal)) {
      // The time of the last write, not of creation: a file that something still writes to is no leftover.
      if (isTemporary(key) && modified < before) found.push({ key, kind: 'temporary-file', started: modified });
    }
    return found;
  }

  return {
    name: options.name,
    root,
    location: pathOf,
    begin,

    async put(key, content, signal) {
      signal?.throwIfAborted();
      const file = await begin(key);
      const hash = createHash('sha256');
      try {
        for await (const chunk of abortable(content.open(), signal)) {
          hash.update(chunk);
          await file.write(chunk);
        }
        signal?.throwIfAborted();
        await file.publish();
        return { size: file.length, sha256: hash.digest('hex'), checkedBy: 'fsync' };
      } catch (error) {
        // The first failure is what the caller must see; what a second one leaves behind is found by `sweep`.
        await file.discard().catch(() => undefined);
        throw error;
      } finally {
        await file.close();
      }
    },

    get: (key, range, signal) => readFile(pathOf(key), range, signal),

    async head(key, signal) {
      signal?.throwIfAborted();
      await checkRoot(root);
      const path = pathOf(key);
      const found = await onDisk('look at', path, () => absentAs(undefined, stat(path)));
      return found?.isFile() === true ? { key, size: found.size, modified: found.mtime } : undefined;
    },

    async *list(prefix, signal) {
      const found: ObjectInfo[] = [];
      for await (const object of walk(root, prefix, signal)) if (!isTemporary(object.key)) found.push(object);
      yield* found.sort((a, b) => compareKeys(a.key, b.key));
    },

    async remove(key, signal) {
      signal?.throwIfAborted();
      const path = pathOf(key);
      await checkRoot(root);
      await removeFile(path);
    },

    leftovers,

    async sweep(prefix, before, signal) {
      const removed: Leftover[] = [];
      for (const leftover of await leftovers(prefix, before, signal)) {
        await removeFile(join(root, leftover.key));
        removed.push(leftover);
      }
      return removed;
    },

    async free(signal) {
      signal?.throwIfAborted();
      await checkRoot(root);
      const { bavail, bsize } = await onDisk('look at', root, () => statfs(root));
      return bavail * bsize;
    },

    async probe(signal) {
      signal?.throwIfAborted();
      if (options.mounted === true) await checkMounted(root);
      const file = await begin('probe');
      try {
        const sent = Buffer.from('db-backup probe');
        const received = Buffer.alloc(sent.length);
        await file.write(sent);
        if ((await file.read(received, 0)) !== sent.length || !received.equals(sent)) {
          throw new BackupError('STORAGE_CORRUPT', `${root} does not give back what is written to it`, {
            hint: 'Check the disk or the network file system under this directory before trusting it with a backup.',
          });
        }
      } finally {
        await file.discard();
        await file.close();
      }
    },
  };
}

async function* readFile(path: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
  signal?.throwIfAborted();
  const handle = await onDisk('read', path, () => open(path, 'r'));
  try {
    const { size } = await onDisk('read', path, () => handle.stat());
    let position = range?.offset ?? 0;
    const end = range?.length === undefined ? Math.max(size, position) : position + range.length;
    if (end > size) throw tooShort(path, size, end);
    while (position < end) {
      signal?.throwIfAborted();
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - position));
      const { bytesRead } = await onDisk('read', path, () => handle.read(buffer, 0, buffer.length, position));
      if (bytesRead === 0) break;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    // Cut off while it was being read.
    if (position < end) throw tooShort(path, position, end);
  } finally {
    await handle.close();
  }
}

function tooShort(path: string, size: number, end: number): BackupError {
  return new BackupError('STORAGE_CORRUPT', `${path} holds ${size} bytes where at least ${end} were expected`, {
    hint: 'The file has been cut off. Use the copy on another target, and check this one with `backup-manager verify`.',
  });
}

/** Every file whose key starts with `prefix`, in no order. A folder that vanishes meanwhile holds nothing. */
async function* walk(root: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<ObjectInfo> {
  await checkRoot(root);
  const folders = [prefix.slice(0, prefix.lastIndexOf('/') + 1)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (folder !== '') checkKey(folder.slice(0, -1));
    const path = join(root, folder);
    for (const entry of await onDisk('list', path, () => absentAs([], readdir(path, { withFileTypes: true })))) {
      signal?.throwIfAborted();
      const key = folder + entry.name;
      if (entry.isDirectory()) {
        if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`)) folders.push(`${key}/`);
      } else if (key.startsWith(prefix)) {
        const found = await onDisk('look at', join(root, key), () => absentAs(undefined, stat(join(root, key))));
        if (found?.isFile() === true) yield { key, size: found.size, modified: found.mtime };
      }
    }
  }
}

async function removeFile(path: string): Promise<void> {
  const existed = await onDisk('remove', path, () =>
    absentAs(
      false,
      rm(path).then(() => true),
    ),
  );
  if (existed) await syncFolder(dirname(path));
}
