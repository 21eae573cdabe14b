import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { onDisk } from './disk-error.ts';
import { createFolders, syncFolder, type Modes } from './disk-folder.ts';

/** A file under a temporary name that gets its real name only when it is whole and durable. */
export interface TemporaryFile {
  readonly path: string;
  /** Bytes written so far; a failed write does not count, whatever part of it reached the disk. */
  readonly length: number;
  /** Appends all of `bytes`. After a failure the first {@link length} bytes can still be read. */
  write(bytes: Uint8Array): Promise<void>;
  /** Reads into `into` from `position`; returns the number of bytes, 0 only at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Makes the bytes durable and the file visible under its real name, then the name durable. It stays readable here. */
  publish(): Promise<void>;
  /** Removes the file, unless it was published. */
  discard(): Promise<void>;
  /** Ends reading; to be called after `publish` or `discard`. */
  close(): Promise<void>;
}

/** Creates `path`, and its folders below `root`, for what will be `finalPath` in the same folder. */
export async function createTemporaryFile(root: string, path: string, finalPath: string, modes: Modes): Promise<TemporaryFile> {
  const folder = dirname(path);
  await createFolders(root, folder, modes.folder);
  const handle = await onDisk('create', path, () => open(path, 'wx+', modes.file));
  let length = 0;
  let published = false;

  return {
    path,
    get length() {
      return length;
    },
    async write(bytes) {
      await onDisk('write', finalPath, async () => {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, length + done);
          done += bytesWritten;
        }
      });
      length += bytes.length;
    },
    read: (into, position) => onDisk('read', path, async () => (await handle.read(into, 0, into.length, position)).bytesRead),
    async publish() {
      await onDisk('write', finalPath, async () => {
        // A failed write may have left bytes behind the last whole one.
        await handle.truncate(length);
        await handle.sync();
        await rename(path, finalPath);
      });
      published = true;
      await syncFolder(folder);
    },
    async discard() {
      if (!published) await onDisk('remove', path, () => rm(path, { force: true }));
    },
    close: () => onDisk('close', path, () => handle.close()),
  };
}
