import { stat } from 'node:fs/promises';
import { BackupError } from '../errors.ts';
import { lockFile, type FileLock } from '../storage/file-lock.ts';

/**
 * Takes the exclusive lock of a backup directory, so that only one run at a time writes below it. Throws `LOCKED` at once
 * when another process holds it.
 */
export async function lockDirectory(directory: string): Promise<FileLock> {
  // flock would make a file of that name.
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is not a directory`);
  const lock = await lockFile(directory);
  if (lock) return lock;
  throw new BackupError('LOCKED', `another run is writing to ${directory}; this one did nothing`, {
    hint: 'Wait until it has ended. `backup-manager status` shows what exists so far.',
    retryable: true,
  });
}
