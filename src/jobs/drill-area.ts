import { hostname } from 'node:os';
import { chmod, lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import { onDisk } from '../storage/disk-error.ts';
import { createFolders, READABLE } from '../storage/disk-folder.ts';
import { lockDirectory } from './directory-lock.ts';
import type { RestoreDrillParts } from './drill-parts.ts';

const FOLDER = 'db-backup-drill-';
const HOLDER = 'holder';

type Lock = Awaited<ReturnType<typeof lockDirectory>>;

/** The right to run a drill: one at a time for all processes and containers that share the backup directory. */
export async function takeTurn({ root, folder }: RestoreDrillParts['lock'], since: Date): Promise<Lock> {
  await createFolders(root, folder, READABLE.folder);
  const holder = join(folder, HOLDER);
  let lock: Lock;
  try {
    lock = await lockDirectory(folder);
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'LOCKED') throw error;
    const who = await readFile(holder, 'utf8').catch(() => 'a process that has not said which');
    throw new BackupError('LOCKED', `another drill is running: ${who.trim()}; this one did nothing`, {
      cause: error,
      hint: 'Wait until it has ended; its report will be beside the others.',
      retryable: true,
    });
  }
  try {
    // For the message of the next one; a killed holder leaves a name without a lock, which nobody reads.
    await onDisk('write', holder, () =>
      writeFile(holder, `process ${process.pid} on ${hostname()}, since ${since.toISOString()}\n`),
    );
    return lock;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

export interface DrillFolder {
  readonly path: string;
  /** Removes it with all that is in it. May be called more than once. */
  remove(): Promise<void>;
}

/**
 * A folder for one drill. Locked, so that whoever finds it can tell whether its drill is still alive: process numbers mean nothing
 * across containers.
 */
export async function openDrillFolder(parent: string): Promise<DrillFolder> {
  for (;;) {
    const path = await onDisk('create a folder in', parent, () => mkdtemp(join(parent, FOLDER)));
    // The account that a throw-away server runs as must be able to enter; what is in it is closed by itself.
    await chmod(path, 0o711);
    let lock: Lock;
    try {
      lock = await lockDirectory(path);
    } catch (error) {
      // Somebody who sweeps was quicker than our lock.
      if (error instanceof BackupError && error.code === 'LOCKED') continue;
      await rm(path, { recursive: true, force: true });
      throw error;
    }
    let removal: Promise<void> | undefined;
    return {
      path,
      remove() {
        removal ??= rm(path, { recursive: true, force: true, maxRetries: 5 }).finally(() => lock.release());
        return removal;
      },
    };
  }
}

/** Removes the folders of drills that were killed; those of living ones are locked. Returns what it removed. */
export async function sweepDrillFolders(parent: string): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await onDisk('list', parent, () => readdir(parent))) {
    const path = join(parent, name);
    if (!name.startsWith(FOLDER) || !(await isOurs(path))) continue;
    try {
      const lock = await lockDirectory(path);
      try {
        await rm(path, { recursive: true, force: true, maxRetries: 5 });
        removed.push(path);
      } finally {
        await lock.release();
      }
    } catch (error) {
      // A living drill, or one that has just removed its folder itself.
      const gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!gone && !(error instanceof BackupError && error.code === 'LOCKED')) throw error;
    }
  }
  return removed;
}

async function isOurs(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}
