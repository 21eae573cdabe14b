import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BackupError } from '../errors.ts';
import { diskError, onDisk } from './disk-error.ts';

/**
 * Throws unless `root` is a directory that exists. It is never created: a missing root is most likely a volume that is
 * not mounted, and writing below it would fill the wrong disk.
 */
export async function checkRoot(root: string): Promise<void> {
  try {
    if ((await stat(root)).isDirectory()) return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw diskError(error, 'use', root);
    throw new BackupError('STORAGE_MISSING', `the backup directory ${root} does not exist`, {
      cause: error,
      hint: 'Create it, mount the volume that belongs there, or set BACKUP_DIR to the right place.',
    });
  }
  throw new BackupError('STORAGE_FAILED', `the backup directory ${root} is not a directory`, {
    hint: 'Set BACKUP_DIR to a directory.',
  });
}

/** Creates `folder`, with what is missing between it and `root`, durably and with mode 0700. `root` itself must exist. */
export async function createFolders(root: string, folder: string): Promise<void> {
  await checkRoot(root);
  const first = await onDisk('create', folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
  if (first === undefined) return;
  for (let created = folder; created.length >= first.length; created = dirname(created)) await syncFolder(dirname(created));
}

/** Makes creations, renames and removals in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    // Some network file systems cannot sync a folder; they keep names durable themselves or not at all.
    if (!['EINVAL', 'ENOTSUP', 'EBADF'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      throw diskError(error, 'make durable', folder);
    }
  } finally {
    await handle?.close();
  }
}
