import { open, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { endianness } from 'node:os';
import { join } from 'node:path';
import type { BaseManifest } from '../catalog/base-manifest.ts';
import { absentAs, BackupError } from '../errors.ts';

/** A server starts on no directory without it, so it goes first and comes back last. */
export const CONTROL = 'global/pg_control';
const LOCK = 'postmaster.pid';

/** Throws `RESTORE_REFUSED` unless it is a data directory of the backup's own cluster that no server has in use. */
export async function checkDataDirectory(into: string, { serverVersion, systemIdentifier }: BaseManifest): Promise<void> {
  const names = await readdir(into);
  if (names.includes(LOCK)) {
    throw refused(`${into} has a ${LOCK}: a server may be running on it`, [
      `Stop the server. After a crash of the machine, when it is certain that none is running, in no other container either, remove ${LOCK}.`,
    ]);
  }
  if (!names.includes('PG_VERSION')) throw refused(`${into} is no data directory of PostgreSQL: it has no PG_VERSION`);
  const version = (await readFile(join(into, 'PG_VERSION'), 'utf8')).trim();
  if (version !== String(Number.parseInt(serverVersion, 10))) {
    throw refused(`${into} is of PostgreSQL ${version}, and the backup of ${serverVersion}`);
  }
  const found = await systemIdentifierOf(into);
  if (found !== undefined && found !== systemIdentifier) {
    throw refused(`${into} is of the server ${found}, and the backup of ${systemIdentifier}`);
  }
}

/** Takes away what is not as in the backup. From its first step on no server starts on the directory. */
export async function removeOthers(into: string, others: readonly string[]): Promise<void> {
  await forbidStart(into);
  for (const path of others) await rm(path, { force: true });
  // Folders of databases that the backup does not have.
  for (const name of await absentAs<string[]>([], readdir(join(into, 'base')))) {
    await rmdir(join(into, 'base', name)).catch(() => undefined);
  }
}

/** After a failure, too: what is half restored must not look like a server's data. */
export async function forbidStart(into: string): Promise<void> {
  await rm(join(into, CONTROL), { force: true });
}

/** The first eight bytes of `pg_control`; absent where there are none. */
async function systemIdentifierOf(into: string): Promise<string | undefined> {
  const handle = await absentAs(undefined, open(join(into, CONTROL)));
  if (!handle) return undefined;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, 0);
    if (bytesRead < 8) return undefined;
    return String(endianness() === 'LE' ? buffer.readBigUInt64LE() : buffer.readBigUInt64BE());
  } finally {
    await handle.close();
  }
}

function refused(message: string, [hint]: readonly string[] = []): BackupError {
  return new BackupError('RESTORE_REFUSED', message, {
    hint: `${hint ?? 'Name the data directory that is to be brought back, or a new one without --delta.'} Nothing was changed.`,
  });
}
