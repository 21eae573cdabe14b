import { lstat, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeSource } from '../catalog/names.ts';
import { BackupError } from '../errors.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { FileLock } from '../storage/file-lock.ts';
import { lockDirectory, lockSourceIn, LOCKS } from './directory-lock.ts';

export interface TemporaryPath {
  /** Another program may write to this file. */
  readonly path: string;
  discard(): Promise<void>;
}

/** Where a run keeps temporary files, locked against other runs. What a killed run leaves in it is found by the next one. */
export interface WorkArea {
  /** A temporary file for what will be stored under `key`. */
  temporaryFile(key: string): Promise<TemporaryPath>;
  release(): Promise<void>;
}

/**
 * Locks the local target's directory and works in it: its `sweep` knows its temporary files. Without a local target, a
 * private folder below `parent` serves. With `source`, one of several, runs of others may be at work there at the same time.
 * Throws `LOCKED` when another run is at work.
 */
export async function openWorkArea(spool: DiskStorage | undefined, parent: string, source?: string): Promise<WorkArea> {
  if (spool) {
    const lock = await lockFor(spool.root, source);
    return { temporaryFile: (key) => besideTheDump(spool, key), release: () => lock.release() };
  }
  const folder = await ownFolder(parent);
  const lock = await lockFor(folder, source);
  const own = source === undefined ? folder : join(folder, encodeSource(source));
  await mkdir(own, { recursive: true, mode: 0o700 });
  for (const name of await readdir(own)) {
    if (name !== LOCKS) await rm(join(own, name), { recursive: true, force: true });
  }
  return {
    async temporaryFile() {
      const run = await mkdtemp(join(own, 'run-'));
      return { path: join(run, 'file'), discard: () => rm(run, { recursive: true, force: true }) };
    },
    release: () => lock.release(),
  };
}

/** Where runs without a local target work, below the configured folder. */
export function workFolder(parent: string): string {
  return join(parent, 'db-backup-work');
}

function lockFor(directory: string, source: string | undefined): Promise<FileLock> {
  return source === undefined ? lockDirectory(directory) : lockSourceIn(directory, source);
}

async function besideTheDump(spool: DiskStorage, key: string): Promise<TemporaryPath> {
  const file = await spool.begin(key);
  await file.close();
  return { path: file.path, discard: () => file.discard() };
}

/** The parent is often the system's temporary folder, where anybody may make a folder of this name first. */
async function ownFolder(parent: string): Promise<string> {
  const folder = workFolder(parent);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await lstat(folder);
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0) return folder;
  throw new BackupError('STORAGE_DENIED', `${folder} belongs to somebody else or may be written by others`, {
    hint: 'Set BACKUP_WORK_DIR to a folder that only this account writes to.',
  });
}
