import { createHash } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SIDE } from '../catalog/names.ts';
import { BackupError } from '../errors.ts';
import type { BackupSource } from './backup-source.ts';

export interface FetchedToc {
  /** The archive on the local disk; absent when no copy of it is whole. */
  readonly path?: string;
  /** Why there is none, or what was wrong with a copy although another had it. */
  readonly warnings: readonly string[];
  /** Removes the file. */
  dispose(): Promise<void>;
}

/** Fetches the `.toc` archive to a file, for pg_restore reads it from several processes, and checks its SHA-256. */
export async function fetchToc(source: BackupSource, temporaryFolder: string, signal: AbortSignal): Promise<FetchedToc> {
  const expected = source.manifest.side.toc;
  if (!expected) return { warnings: ['The backup has no .toc archive.'], dispose: async () => {} };
  const folder = await mkdtemp(join(temporaryFolder, 'db-backup-restore-'));
  const dispose = async (): Promise<void> => await rm(folder, { recursive: true, force: true });
  const path = join(folder, 'archive.toc');
  const warnings: string[] = [];
  try {
    for (const copy of source.copies) {
      const key = source.key + SIDE.toc;
      try {
        if ((await download(copy.get(key, undefined, signal), path)) === expected.sha256) return { path, warnings, dispose };
        throw new BackupError('BACKUP_DAMAGED', `${copy.location(key)} does not have the SHA-256 of the manifest.`);
      } catch (error) {
        signal.throwIfAborted();
        warnings.push(error instanceof Error ? error.message : String(error));
      }
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { warnings, dispose };
}

async function download(bytes: AsyncIterable<Uint8Array>, path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'w', 0o600);
  try {
    for await (const chunk of bytes) {
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
