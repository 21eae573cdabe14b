import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readObject } from '../catalog/catalog.ts';
import { walFolder } from '../catalog/wal-names.ts';
import { BackupError } from '../errors.ts';
import type { WalSource } from '../postgres/replication.ts';
import { bytesContent } from '../storage/content.ts';
import type { Storage } from '../storage/storage.ts';

type Claim = Pick<WalSource, 'systemIdentifier' | 'segmentBytes'>;

/** Says whose WAL a folder, or a target, has. */
export const CLAIM_FILE = 'archive.json';

/** The first server whose WAL comes into an archive owns it: never two histories in one. */
export async function claimArchive(source: string, target: Storage, origin: Claim, signal: AbortSignal): Promise<void> {
  const key = walFolder(source) + CLAIM_FILE;
  if ((await target.head(key, signal)) === undefined) await target.put(key, bytesContent(claimOf(origin)), signal);
  else compare(await readObject(target, key, signal), origin);
}

/** The same for the folder where it is received: targets may be out of reach for a while. */
export async function claimFolder(folder: string, origin: Claim): Promise<void> {
  const path = join(folder, CLAIM_FILE);
  try {
    compare(await readFile(path), origin);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await writeFile(path, claimOf(origin), { mode: 0o600 });
  }
}

function claimOf({ systemIdentifier, segmentBytes }: Claim): Buffer {
  return Buffer.from(`${JSON.stringify({ systemIdentifier, segmentBytes }, null, 2)}\n`);
}

function compare(bytes: Uint8Array, { systemIdentifier }: Claim): void {
  const found = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Claim>;
  if (found.systemIdentifier !== systemIdentifier) throw anotherServer(String(found.systemIdentifier), systemIdentifier);
}

export function anotherServer(expected: string, found: string): BackupError {
  return new BackupError('SOURCE_CHANGED', `this is another server (${found}) than the one whose WAL is archived (${expected})`, {
    hint: 'Its WAL does not continue the archive. If the change was meant, give the new server a source name of its own (BACKUP_SOURCE_NAME).',
  });
}
