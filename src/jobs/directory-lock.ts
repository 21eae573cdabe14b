import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { encodeSource } from '../catalog/names.ts';
import { BackupError } from '../errors.ts';
import { lockFile, type FileLock } from '../storage/file-lock.ts';

/** The folder of the locks of sources, in the directory that they share. */
export const LOCKS = '.locks';

/**
 * Takes the exclusive lock of a backup directory, so that only one run at a time writes below it. Throws `LOCKED` at once
 * when another process holds it.
 */
export async function lockDirectory(directory: string): Promise<FileLock> {
  await refuseOther(directory);
  const lock = await lockFile(directory);
  if (lock) return lock;
  throw locked(`another run is writing to ${directory}; this one did nothing`);
}

/**
 * Takes the lock of one source in a backup directory: runs of other sources may go on there, but none of the same source, and none that
 * has the whole directory to itself. Throws `LOCKED` at once when there is one.
 */
export async function lockSourceIn(directory: string, source: string): Promise<FileLock> {
  await refuseOther(directory);
  const shared = await lockFile(directory, { shared: true });
  if (!shared) throw locked(`a run that has all of ${directory} to itself is writing there; this one did nothing`);
  try {
    await mkdir(join(directory, LOCKS), { recursive: true, mode: 0o700 });
    const file = lockPathOf(directory, source);
    const own = await lockFile(file);
    if (!own) {
      const holder = await readFile(file, 'utf8').catch(() => '');
      throw locked(
        `another run of ${source} is writing to ${directory}${holder === '' ? '' : ` (${holder.trim()})`}; this one did nothing`,
      );
    }
    // For the message of the next one; a killed holder leaves a name without a lock, which nobody reads.
    await writeFile(file, `process ${process.pid} on ${hostname()}\n`);
    return {
      release: async () => {
        await own.release();
        await shared.release();
      },
    };
  } catch (error) {
    await shared.release();
    throw error;
  }
}

/** What is locked for one of several sources. */
export function lockPathOf(directory: string, source: string): string {
  return join(directory, LOCKS, encodeSource(source));
}

async function refuseOther(directory: string): Promise<void> {
  // flock would make a file of that name.
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is not a directory`);
}

function locked(message: string): BackupError {
  return new BackupError('LOCKED', message, {
    hint: 'Wait until it has ended. `backup-manager status` shows what exists so far.',
    retryable: true,
  });
}
