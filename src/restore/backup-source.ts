import { basename } from 'node:path/posix';
import { BackupError, toBackupError } from '../errors.ts';
import { readObject } from '../catalog/catalog.ts';
import { parseManifest } from '../catalog/manifest-file.ts';
import type { Manifest } from '../catalog/manifest.ts';
import { SIDE } from '../catalog/names.ts';
import type { Storage } from '../storage/storage.ts';

/** A backup to be read: one dump and the targets that hold it. */
export interface BackupSource {
  /** In the order in which they are to be tried. One that fails or holds damaged bytes is replaced by the next, member by member. */
  readonly copies: readonly Storage[];
  readonly key: string;
  readonly manifest: Manifest;
}

/**
 * Reads the manifest of a dump from the first copy that has a good one, unless it is `known`: a listing may have found it on a
 * target that lost the dump. Throws that of the first copy's failure.
 */
export async function openBackup(
  copies: readonly Storage[],
  key: string,
  signal?: AbortSignal,
  known?: Manifest,
): Promise<BackupSource> {
  if (known && copies.length > 0) return { copies, key, manifest: known };
  let failure: unknown;
  for (const copy of copies) {
    try {
      const name = copy.location(key + SIDE.manifest);
      return { copies, key, manifest: parseManifest(await readObject(copy, key + SIDE.manifest, signal), name) };
    } catch (error) {
      signal?.throwIfAborted();
      failure ??= error;
    }
  }
  if (failure instanceof BackupError && failure.code === 'STORAGE_MISSING') throw await noManifest(copies, key, failure, signal);
  if (failure !== undefined) throw toBackupError(failure);
  throw new BackupError('STORAGE_NO_TARGET', `No target was given to read ${basename(key)} from.`);
}

async function noManifest(
  copies: readonly Storage[],
  key: string,
  cause: BackupError,
  signal: AbortSignal | undefined,
): Promise<BackupError> {
  const heads = await Promise.all(copies.map((copy) => copy.head(key, signal)));
  const holder = copies.find((_, at) => heads[at] !== undefined);
  if (!holder) {
    return new BackupError(
      'BACKUP_UNKNOWN',
      `There is no dump ${key} on ${copies.map((copy) => copy.name).join(', ')}. Nothing was changed.`,
      {
        cause,
        hint: '`backup-manager list-backups` shows what there is.',
      },
    );
  }
  return new BackupError(
    'BACKUP_DAMAGED',
    `The manifest of ${holder.location(key)} is lost, so that its bytes cannot be checked. Nothing was changed.`,
    {
      cause,
      hint: `Rebuild it from the dump: backup-manager reindex ${basename(key)}. Or restore with stock tools: gunzip -c FILE | psql -X -v ON_ERROR_STOP=1 NEWDB.`,
    },
  );
}
