import { mkdir, open, stat, type FileHandle } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
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

/** Who may read what is created: the account of the backup only, or everybody on the machine (reports, for auditors). */
export interface Modes {
  readonly file: number;
  readonly folder: number;
}

export const PRIVATE: Modes = { file: 0o600, folder: 0o700 };
export const READABLE: Modes = { file: 0o644, folder: 0o755 };

/** Creates `folder`, with what is missing between it and `root`, durably and with `mode`. `root` itself must exist. */
export async function createFolders(root: string, folder: string, mode: number): Promise<void> {
  await checkRoot(root);
  // One by one: Node's recursive mkdir reports a read-only file system as a missing folder.
  let path = root;
  for (const name of relative(root, folder).split(sep).filter(Boolean)) {
    const parent = path;
    path = join(parent, name);
    if (await created(path, mode)) await syncFolder(parent);
  }
}

async function created(path: string, mode: number): Promise<boolean> {
  return onDisk('create', path, async () => {
    try {
      await mkdir(path, { mode });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  });
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
