import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partialName, type WalFile } from '../catalog/wal-names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { fetchWal, findWal } from '../wal/read-wal.ts';

export interface WalFetchParts {
  /** Configured name of the source. */
  readonly source: string;
  /** In the order in which they are asked. */
  readonly targets: readonly Storage[];
  /** Where WAL is received, if that is on this machine. */
  readonly incoming?: string;
}

/**
 * Brings one file to where PostgreSQL's `restore_command` wants it, whole or not at all. Says whether it is there: `false` only when all
 * targets say that it is not, since the server then takes the WAL to be at its end. Throws when that cannot be said, and for a damaged file.
 * Of a segment that was never finished as much comes as there is.
 */
export async function bringWal(parts: WalFetchParts, name: string, to: string, signal: AbortSignal): Promise<boolean> {
  const match = /^([0-9A-F]{8})([0-9A-F]{16}(\.[0-9A-F]{8}\.backup|\.partial)?|\.history)$/.exec(name);
  if (!match) throw new BackupError('USAGE', `${JSON.stringify(name)} is no name of a file of WAL`, { hint: USE });
  const timeline = Number.parseInt(match[1]!, 16);
  const isSegment = /^[0-9A-F]{24}$/.test(name);
  for (const each of isSegment ? [name, partialName(name)] : [name]) {
    const bytes = (await stored(parts, { kind: 'history', name: each, timeline }, signal)) ?? (await received(parts, each));
    if (!bytes) continue;
    await writeWhole(to, bytes);
    return true;
  }
  return false;
}

const USE = "This is for restore_command: restore_command = 'backup-manager wal-fetch %f %p'.";

async function stored({ targets, source }: WalFetchParts, file: WalFile, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const found = await findWal(targets, source, file, signal);
  return found.copies.size === 0 ? undefined : await fetchWal(found, file.name, signal);
}

async function received({ incoming }: WalFetchParts, name: string): Promise<Uint8Array | undefined> {
  if (incoming === undefined) return undefined;
  return await readFile(join(incoming, name)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toBackupError(error);
  });
}

async function writeWhole(to: string, bytes: Uint8Array): Promise<void> {
  const part = `${to}.part`;
  try {
    const handle = await open(part, 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(part, to);
    const folder = await open(dirname(to));
    await folder.sync().finally(async () => await folder.close());
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}
