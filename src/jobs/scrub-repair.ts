import type { Backup } from '../catalog/backup.ts';
import { readObject } from '../catalog/catalog.ts';
import { parseManifest } from '../catalog/manifest-file.ts';
import type { Manifest } from '../catalog/manifest.ts';
import { SIDE } from '../catalog/names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { bytesContent } from '../storage/content.ts';
import type { ExpectedBytes } from '../storage/copy-object.ts';
import { repairCopies } from '../storage/repair-copies.ts';
import type { RetryPolicy } from '../storage/retrying.ts';
import type { Storage } from '../storage/storage.ts';
import type { DamagedCopy } from './scrub.ts';
import { hashOf, sideFilesOf } from './scrub-copy.ts';

export interface RepairOptions {
  readonly targets: readonly Storage[];
  readonly retries: RetryPolicy;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Puts a good file from another target in the place of each damaged one; to be called under the lock of the directory. What it copies
 * from was read to the end just before: a copy that is as bad never replaces anything. Returns the targets that it copied from; throws
 * when a file could not be mended, with those before it mended.
 */
export async function repairCopy({ target, key, files }: DamagedCopy, backup: Backup, options: RepairOptions): Promise<string[]> {
  const { targets, signal } = options;
  const { manifest } = backup;
  const to = targets.find(({ name }) => name === target);
  if (manifest === undefined || to === undefined) throw new Error(`${key} on ${target} cannot be mended without its manifest`);
  const others = targets.filter(({ name }) => backup.copies.some((copy) => copy.target === name && copy.target !== target));
  const used = new Set<string>();
  // The manifest last, as always.
  for (const suffix of [...files].sort((a, b) => Number(a === SIDE.manifest) - Number(b === SIDE.manifest))) {
    const from = suffix === SIDE.manifest ? await copyManifest(key, manifest, others, to, signal) : await copyFile(suffix);
    used.add(from);
  }
  return [...used];

  async function copyFile(suffix: string): Promise<string> {
    const expected = expectedOf(manifest!, suffix);
    for (const from of others) {
      if (!(await isGood(from, key + suffix, expected, signal))) continue;
      const outcomes = [
        { target, ok: false },
        { target: from.name, ok: true },
      ];
      const { retries, stallTimeoutMs } = options;
      const repaired = await repairCopies(key + suffix, outcomes, [to!, from], expected, { retries, stallTimeoutMs, signal });
      if (repaired[0]?.ok === true) return from.name;
      throw repaired[0]?.error ?? noSource(to!, key + suffix);
    }
    throw noSource(to!, key + suffix);
  }
}

async function copyManifest(
  key: string,
  manifest: Manifest,
  others: readonly Storage[],
  to: Storage,
  signal: AbortSignal,
): Promise<string> {
  for (const from of others) {
    try {
      const bytes = await readObject(from, key + SIDE.manifest, signal);
      if (parseManifest(bytes, from.location(key + SIDE.manifest)).file.sha256 !== manifest.file.sha256) continue;
      await to.put(key + SIDE.manifest, bytesContent(bytes), signal);
      return from.name;
    } catch (error) {
      signal.throwIfAborted();
      if (!['STORAGE_MISSING', 'BACKUP_DAMAGED'].includes(toBackupError(error).code)) throw error;
    }
  }
  throw noSource(to, key + SIDE.manifest);
}

function expectedOf(manifest: Manifest, suffix: string): ExpectedBytes {
  const side = sideFilesOf(manifest).find(([each]) => each === suffix)?.[1];
  const { bytes, sha256 } = side ?? manifest.file;
  return { size: bytes, sha256 };
}

async function isGood(from: Storage, key: string, expected: ExpectedBytes, signal: AbortSignal): Promise<boolean> {
  try {
    return (await from.head(key, signal))?.size === expected.size && (await hashOf(from, key, signal)) === expected.sha256;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

function noSource(to: Storage, key: string): BackupError {
  return new BackupError('BACKUP_DAMAGED', `${to.location(key)} is damaged, and no other target has a good copy of it`, {
    hint: 'Keep it: what is not damaged in it can still be restored. Make a new backup (`backup-manager create-backup`) and check the disk or bucket.',
  });
}
