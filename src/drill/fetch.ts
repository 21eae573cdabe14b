import { createHash } from 'node:crypto';
import { mkdir, open, rm, statfs, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileProperties, Manifest } from '../catalog/manifest.ts';
import { SIDE } from '../catalog/names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { createDiskStorage } from '../storage/disk.ts';
import { onDisk } from '../storage/disk-error.ts';
import type { Storage } from '../storage/storage.ts';
import type { Finding } from './check.ts';
import { createMemberCheck } from './member-check.ts';

export interface FetchInput {
  /** The copy to be drilled. */
  readonly storage: Storage;
  readonly key: string;
  readonly manifest: Manifest;
  /** Where it is copied to. Absent: the copy lies on a disk of this machine, and is only read. */
  readonly folder?: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number, total: number) => void;
}

export interface Fetched {
  /** Whether the dump has every checksum of its manifest. */
  readonly usable: boolean;
  /** What is damaged, side files too: a backup without its archive restores, but it is not what was stored. */
  readonly damage: readonly Finding[];
  /** Holds the dump and its side files on this machine's disk. */
  readonly storage: Storage;
  /** Bytes read from the target. */
  readonly bytes: number;
  /** SQL of roles and tablespaces, still compressed. */
  readonly hasGlobals: boolean;
}

/**
 * Brings a backup to this machine and compares every checksum there is: of each member, of the file, of the side files. Damage is a
 * result; a target that cannot be read and a disk that is full are thrown.
 */
export async function fetchBackup(input: FetchInput): Promise<Fetched> {
  const { storage, key, manifest, folder } = input;
  if (folder !== undefined) await checkSpace(folder, manifest);
  const damage: Finding[] = [];
  let bytes = 0;
  const count = (read: number) => {
    bytes += read;
    input.onProgress?.(bytes, manifest.file.bytes);
  };
  const members = createMemberCheck(manifest);
  const dump = await readAndCheck(input, key, manifest.file, (chunk) => {
    members.update(chunk);
    count(chunk.length);
  });
  damage.push(...members.end().map((message) => ({ object: storage.location(key), message, hint: OTHER_COPY })));
  const usable = dump === undefined && damage.length === 0;
  if (dump !== undefined) damage.push({ object: storage.location(key), message: dump, hint: OTHER_COPY });
  let hasGlobals = false;
  for (const [suffix, expected] of sideFiles(manifest)) {
    if (expected === undefined) continue;
    const problem = await readAndCheck(input, key + suffix, expected, (chunk) => count(chunk.length));
    if (problem !== undefined) damage.push({ object: storage.location(key + suffix), message: problem, hint: OTHER_COPY });
    else if (suffix === SIDE.globals) hasGlobals = true;
  }
  const local = folder === undefined ? storage : createDiskStorage({ name: storage.name, root: folder });
  return { usable, damage, storage: local, bytes, hasGlobals };
}

const OTHER_COPY = 'Restore from another target or another backup; `backup-manager verify` says what else of it is damaged.';

function sideFiles({ side }: Manifest): readonly (readonly [string, FileProperties | undefined])[] {
  return [
    [SIDE.toc, side.toc],
    [SIDE.globals, side.globals],
  ];
}

/** Reads a file, copies it if there is a folder, and says what is wrong with it. A damaged side file is not copied: nobody must use it. */
async function readAndCheck(
  { storage, folder, signal }: FetchInput,
  key: string,
  expected: FileProperties,
  onChunk: (chunk: Uint8Array) => void,
): Promise<string | undefined> {
  const hash = createHash('sha256');
  const path = folder === undefined ? undefined : join(folder, key);
  let file: FileHandle | undefined;
  let bytes = 0;
  try {
    if (path !== undefined) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      file = await onDisk('write', path, () => open(path, 'w', 0o600));
    }
    for await (const chunk of storage.get(key, undefined, signal)) {
      signal.throwIfAborted();
      hash.update(chunk);
      onChunk(chunk);
      bytes += chunk.length;
      if (file && path !== undefined) await onDisk('write', path, () => file!.writeFile(chunk));
    }
  } catch (error) {
    signal.throwIfAborted();
    const failure = toBackupError(error);
    if (failure.code !== 'STORAGE_MISSING' && failure.code !== 'STORAGE_CORRUPT') throw failure;
    if (path !== undefined) await rm(path, { force: true });
    return failure.message;
  } finally {
    await file?.close();
  }
  const problem =
    bytes !== expected.bytes
      ? `it has ${bytes} bytes, the manifest says ${expected.bytes}`
      : hash.digest('hex') === expected.sha256
        ? undefined
        : 'its SHA-256 is not the one of the manifest';
  if (problem !== undefined && path !== undefined) await rm(path, { force: true });
  return problem;
}

/** Before hours of reading, not after: the copy has to fit. */
async function checkSpace(folder: string, manifest: Manifest): Promise<void> {
  const needed = manifest.file.bytes + (manifest.side.toc?.bytes ?? 0) + (manifest.side.globals?.bytes ?? 0);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= needed) return;
  throw new BackupError(
    'STORAGE_FULL',
    `${folder} has ${Math.floor((bavail * bsize) / 1e6)} MB free, the backup needs ${Math.ceil(needed / 1e6)} MB there; nothing was restored`,
    { hint: 'Free some space, or set BACKUP_WORK_DIR to a folder with room for the backup and for the restored database.' },
  );
}
