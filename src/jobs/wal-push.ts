import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatLsn } from '../catalog/lsn.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, segmentName, type WalFile } from '../catalog/wal-names.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { checkSegment, HEADER_BYTES, readSegmentHeader, type SegmentHeader } from '../wal/segment-header.ts';
import { packWal, storeWal } from '../wal/store-wal-file.ts';
import { claimArchive } from './claim-archive.ts';

export interface WalPushParts {
  /** Configured name of the source. */
  readonly source: string;
  readonly targets: readonly Storage[];
  /** Names of those that must have the file; all of them when absent. */
  readonly required?: readonly string[];
  readonly codec: CodecName;
  readonly level: number;
  readonly clock: Clock;
}

/** A target that does not have the file, and may lack it. */
export interface NotPushed {
  readonly target: string;
  readonly error: BackupError;
}

/**
 * Stores one file that PostgreSQL gives to its `archive_command`. Returns once it is durable on every target that must have it; throws
 * otherwise, and the server gives it again. Again does no harm; another file under the same name is refused.
 */
export async function pushWal(parts: WalPushParts, path: string, signal: AbortSignal): Promise<NotPushed[]> {
  const { source, targets, required, clock } = parts;
  const raw = await readFile(path);
  const { file, systemIdentifier, segmentBytes, moments } = await identify(path, raw);
  const packed = await packWal(file, raw, { ...parts, systemIdentifier, clock, moments });
  const failures: NotPushed[] = [];
  await Promise.all(
    targets.map(async (target) => {
      try {
        await claimArchive(source, target, { systemIdentifier, segmentBytes }, signal);
        await storeWal(target, packed, signal);
      } catch (error) {
        failures.push({ target: target.name, error: toBackupError(error) });
      }
    }),
  );
  const missing = failures.find(({ target, error }) => !isOptional(required, target) || NEVER.includes(error.code));
  if (missing) throw missing.error;
  return failures;
}

/** Two histories under one name: no target is optional then. */
const NEVER: readonly string[] = ['SOURCE_CHANGED', 'STORAGE_CORRUPT'];

function isOptional(required: readonly string[] | undefined, target: string): boolean {
  return required !== undefined && !required.includes(target);
}

interface Identified extends Pick<SegmentHeader, 'systemIdentifier' | 'segmentBytes'> {
  readonly file: WalFile;
  readonly moments: readonly WalMoment[];
}

async function identify(path: string, raw: Uint8Array): Promise<Identified> {
  const name = basename(path);
  const folder = dirname(path);
  if (/^[0-9A-F]{24}(\.partial)?$/.test(name)) {
    const header = readSegmentHeader(raw, path);
    const file = parseWalFile(name, header.segmentBytes);
    if (!file || file.kind === 'history') throw notWal(path);
    checkSegment(header, file, raw.length);
    return { ...header, file, moments: await momentBefore(folder, file, header) };
  }
  // The history of a timeline, or the note that the server leaves of a base backup.
  if (!/^[0-9A-F]{8}(\.history|[0-9A-F]{16}\.[0-9A-F]{8}\.backup)$/.test(name)) throw notWal(path);
  const file = { kind: 'history', name, timeline: Number.parseInt(name.slice(0, 8), 16) } as const;
  return { file, moments: [], ...(await ownerOf(folder)) };
}

/**
 * When the server last wrote the segment before this one: what was committed before that time lies before this one. That this one has a
 * later commit is likely, and a recovery to that time needs one. It may be gone already: then nothing is known.
 */
async function momentBefore(folder: string, file: WalFile & { readonly number: bigint }, { lsn, segmentBytes }: SegmentHeader) {
  const before = join(folder, segmentName(file.timeline, file.number - 1n, segmentBytes));
  const { mtime } = await stat(before).catch(() => ({ mtime: undefined }));
  return mtime === undefined ? [] : [{ time: mtime.toISOString(), lsn: formatLsn(lsn) }];
}

/** Such a file does not say whose it is; segments beside it do. */
async function ownerOf(folder: string): Promise<Pick<SegmentHeader, 'systemIdentifier' | 'segmentBytes'>> {
  for (const name of (await readdir(folder)).filter((each) => /^[0-9A-F]{24}$/.test(each)).sort()) {
    const handle = await open(join(folder, name));
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
      return readSegmentHeader(buffer.subarray(0, bytesRead), name);
    } catch {
      // Made beforehand, and not written yet: the next one.
    } finally {
      await handle.close();
    }
  }
  throw new BackupError('USAGE', `there is no segment of WAL in ${folder} that says which server this is`, {
    hint: "This is for archive_command, which gives the path of a file in pg_wal: archive_command = 'backup-manager wal-push %p'.",
  });
}

function notWal(path: string): BackupError {
  return new BackupError('USAGE', `${path} is no file of WAL`, {
    hint: "This is for archive_command: archive_command = 'backup-manager wal-push %p'.",
  });
}
