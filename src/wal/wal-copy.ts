import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { readObject } from '../catalog/catalog.ts';
import { parseLsn } from '../catalog/lsn.ts';
import { parseWalMeta, type WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, segmentOf, WAL_META } from '../catalog/wal-names.ts';
import type { CodecName } from '../codec/codec.ts';
import { decompressFrame } from '../codec/frame.ts';
import { release } from '../codec/release.ts';
import { absentAs, BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { isBegun, readSegmentHeader } from './segment-header.ts';
import { readLastMoment } from './stream-state.ts';

/** One copy of a file of WAL: on a target, or still where it is received. */
export type WalCopy = StoredWalCopy | ReceivedWal;

export interface ReceivedWal {
  readonly path: string;
  readonly bytes: number;
}

export interface StoredWalCopy {
  readonly target: Storage;
  readonly key: string;
  readonly codec: CodecName;
  readonly bytes: number;
}

const PARTIAL = '.partial';

/** Its raw bytes, whole and checked. Throws `BACKUP_DAMAGED` for what is not what was stored, or of another server. */
export async function fetchCopy(
  copy: WalCopy,
  file: string,
  systemIdentifier: string | undefined,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if ('path' in copy) return await readReceived(copy.path, signal);
  const { target, key, codec } = copy;
  const meta = parseWalMeta(await readObject(target, key + WAL_META, signal), target.location(key + WAL_META));
  const stored = await readObject(target, key, signal);
  const damaged = (problem: string, cause?: unknown): BackupError =>
    new BackupError('BACKUP_DAMAGED', `the file of WAL ${target.location(key)} is damaged: ${problem}`, {
      cause,
      hint: 'Another target may have a whole copy. Without one, what was committed after it cannot be recovered.',
    });
  // The open segment is replaced while it is read: its own checksum, which decompression compares, has to do.
  const isFinished = !file.endsWith(PARTIAL);
  if (isFinished && sha256(stored) !== meta.sha256) throw damaged('its bytes are not those that were stored');
  let raw: Uint8Array;
  try {
    raw = await decompressFrame(codec, stored, meta.rawBytes);
  } catch (error) {
    throw damaged((error as Error).message, error);
  }
  release(stored);
  if (isFinished && sha256(raw) !== meta.rawSha256) throw damaged('its content is not what was stored');
  if (systemIdentifier !== undefined && !file.endsWith('.history') && (isFinished || isBegun(raw))) {
    // A server that meets foreign WAL takes it for the end, and opens.
    const { systemIdentifier: found } = readSegmentHeader(raw, file);
    if (found !== systemIdentifier) throw damaged(`it is from another server (${found})`);
  }
  return raw;
}

/** The receiver renames a segment when it is whole. */
async function readReceived(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const found = path.endsWith(PARTIAL) ? await absentAs(undefined, readFile(path, { signal })) : undefined;
  return found ?? (await readFile(path.endsWith(PARTIAL) ? path.slice(0, -PARTIAL.length) : path, { signal }));
}

/** Looks at the source's clock that lie in it. */
export async function momentsOfCopy(copy: WalCopy, segmentBytes: number, signal?: AbortSignal): Promise<readonly WalMoment[]> {
  return 'path' in copy ? await receivedMoments(copy.path, segmentBytes) : await storedMoments(copy, signal);
}

async function storedMoments({ target, key }: StoredWalCopy, signal?: AbortSignal): Promise<readonly WalMoment[]> {
  return parseWalMeta(await readObject(target, key + WAL_META, signal), target.location(key + WAL_META)).moments;
}

/** The last moment that the receiver's daemon noted, if it lies in this file. */
async function receivedMoments(path: string, segmentBytes: number): Promise<readonly WalMoment[]> {
  const moment = await readLastMoment(dirname(path));
  const file = parseWalFile(basename(path), segmentBytes);
  if (moment === undefined || file === undefined || file.kind === 'history') return [];
  if (moment.timeline !== undefined && moment.timeline !== file.timeline) return [];
  return segmentOf(parseLsn(moment.lsn), segmentBytes) === file.number ? [moment] : [];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
