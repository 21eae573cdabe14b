import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import { bytesContent } from '../storage/content.ts';
import { createDiskStorage } from '../storage/disk.ts';
import { onDisk } from '../storage/disk-error.ts';
import { READABLE } from '../storage/disk-folder.ts';
import { lockFile } from '../storage/file-lock.ts';
import { parseStatus, STATUS_FILE, STATUS_VERSION, type SourceStatus, type StatusFile } from './source-status.ts';

/** A write takes some milliseconds. Who holds the lock for longer is not at work any more. */
const LOCK_WAIT_MS = 20_000;
const LOCK = 'status.lock';
const SWEEP_MS = 24 * 60 * 60_000;

/** Where `status.json` is kept: what a monitoring system needs, always current. One for all sources. */
export interface StatusBoard {
  readonly path: string;
  /** Replaces what is said of a source, given what was said. In whole: a reader sees the file before or after, nothing in between. */
  update(source: string, now: Date, change: (before: SourceStatus | undefined) => SourceStatus): Promise<void>;
  /** Forgets all other sources: those that are not configured any more. */
  keepOnly(isKept: (source: string) => boolean, now: Date): Promise<void>;
  /** `undefined` when there is none yet, or none that this version can read. */
  read(): Promise<StatusFile | undefined>;
}

/** `folder` is made when needed, below a folder that exists. */
export function createStatusBoard(folder: string, version: string): StatusBoard {
  const path = join(folder, STATUS_FILE);
  const storage = createDiskStorage({ name: 'status', root: folder, readable: true });

  async function read(): Promise<StatusFile | undefined> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      return await onDisk('read', path, () => Promise.reject(error as Error));
    }
    return parseStatus(text);
  }

  async function write(now: Date, change: (sources: StatusFile['sources']) => StatusFile['sources']): Promise<void> {
    await onDisk('create', folder, async () => {
      try {
        await mkdir(folder, { mode: READABLE.folder });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    });
    const lock = await lockFile(join(folder, LOCK), { waitMs: LOCK_WAIT_MS });
    if (!lock) {
      throw new BackupError('LOCKED', `another process has held ${join(folder, LOCK)} for ${LOCK_WAIT_MS / 1000} s`, {
        hint: 'Look for a process that is stuck on the file system of this folder (`fuser` names it).',
      });
    }
    try {
      const sources = change((await read())?.sources ?? {});
      const file: StatusFile = { statusVersion: STATUS_VERSION, writtenAt: now.toISOString(), version, sources };
      await storage.put(STATUS_FILE, bytesContent(Buffer.from(`${JSON.stringify(file, null, 2)}\n`)));
      await storage.sweep(`.${STATUS_FILE}`, new Date(now.getTime() - SWEEP_MS));
    } finally {
      await lock.release();
    }
  }

  return {
    path,
    read,
    update: (source, now, change) => write(now, (sources) => ({ ...sources, [source]: change(sources[source]) })),
    keepOnly: (isKept, now) =>
      write(now, (sources) => Object.fromEntries(Object.entries(sources).filter(([name]) => isKept(name)))),
  };
}
