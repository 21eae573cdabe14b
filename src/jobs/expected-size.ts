import { sizesByDump } from '../catalog/catalog.ts';
import { parseDumpName } from '../catalog/names.ts';
import type { CodecName } from '../codec/codec.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** How much larger than the last one a dump may well be. */
const GROWTH = 1.25;
/** A dump is hardly ever larger than this part of the database: it is compressed, and indexes are not in it. */
const OF_DATABASE = 0.5;

/**
 * Bytes that the dump may have, rather too many: by the newest dump of the same source and codec on the first of `targets` that
 * can be listed, and by the size of the database. It decides the size of the parts of an upload, of which there may be 10,000.
 */
export async function expectedSize(
  source: string,
  codec: CodecName,
  databaseBytes: number,
  targets: readonly Storage[],
  signal: AbortSignal,
  onFailure: (target: string, error: BackupError) => void,
): Promise<number> {
  let newest: { readonly started: number; readonly bytes: number } | undefined;
  for (const [key, sizes] of await sizesOfFirst(targets, signal, onFailure)) {
    const name = parseDumpName(key);
    const bytes = sizes.get('');
    if (name?.source !== source || name.codec !== codec || bytes === undefined) continue;
    if (newest === undefined || name.started.getTime() > newest.started) newest = { started: name.started.getTime(), bytes };
  }
  return Math.ceil(newest === undefined ? databaseBytes : Math.max(newest.bytes * GROWTH, databaseBytes * OF_DATABASE));
}

async function sizesOfFirst(
  targets: readonly Storage[],
  signal: AbortSignal,
  onFailure: (target: string, error: BackupError) => void,
): ReturnType<typeof sizesByDump> {
  for (const target of targets) {
    try {
      return await sizesByDump(target, signal);
    } catch (error) {
      signal.throwIfAborted();
      onFailure(target.name, toBackupError(error));
    }
  }
  return new Map();
}
