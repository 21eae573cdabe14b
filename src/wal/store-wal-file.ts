import { createHash } from 'node:crypto';
import { readObject } from '../catalog/catalog.ts';
import { parseWalMeta, serializeWalMeta, WAL_META_VERSION, type WalMeta, type WalMoment } from '../catalog/wal-meta.ts';
import { partialName, WAL_META, walKey, type WalFile } from '../catalog/wal-names.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import { compressFrame } from '../codec/frame.ts';
import { BackupError } from '../errors.ts';
import { bytesContent } from '../storage/content.ts';
import type { Storage } from '../storage/storage.ts';

export interface WalOrigin {
  /** Configured name of the source. */
  readonly source: string;
  readonly systemIdentifier: string;
}

/** A file of WAL, packed once for all targets. */
export interface PackedWal {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly meta: WalMeta;
}

export interface PackOptions extends WalOrigin {
  readonly codec: CodecName;
  readonly level: number;
  readonly clock: Clock;
  /** Those that lie in the file. */
  readonly moments: readonly WalMoment[];
}

export async function packWal(file: WalFile, raw: Uint8Array, options: PackOptions): Promise<PackedWal> {
  const { codec, level, source, systemIdentifier, moments, clock } = options;
  const bytes = await compressFrame(codec, raw, level);
  const [first, last] = [moments[0], moments.at(-1)];
  return {
    key: walKey(source, file, codec),
    bytes,
    meta: {
      ...{ formatVersion: WAL_META_VERSION, file: file.name, systemIdentifier, codec },
      ...{ bytes: bytes.length, sha256: sha256(bytes), rawBytes: raw.length, rawSha256: sha256(raw) },
      storedAt: clock.now().toISOString(),
      moments: first === undefined || last === undefined ? [] : first === last ? [first] : [first, last],
    },
  };
}

/**
 * Stores a finished file of WAL on a target. May be called again: a file that is there already is left as it is. Throws
 * `STORAGE_CORRUPT`, changing nothing, when another one is there under the same name: two histories must never be mixed.
 */
export async function storeWal(target: Storage, { key, bytes, meta }: PackedWal, signal: AbortSignal): Promise<void> {
  if ((await target.head(key + WAL_META, signal)) !== undefined) {
    const there = parseWalMeta(await readObject(target, key + WAL_META, signal), target.location(key + WAL_META));
    if (there.rawSha256 === meta.rawSha256 && there.systemIdentifier === meta.systemIdentifier) return;
    throw new BackupError('STORAGE_CORRUPT', `${target.location(key)} holds another file of WAL than the source has now`, {
      hint:
        there.systemIdentifier === meta.systemIdentifier
          ? 'The same place of one timeline was written twice: two servers were running at once, or one was restored without a new timeline. Give the new server a source name of its own (BACKUP_SOURCE_NAME).'
          : 'It is from another server. Give each server a source name of its own (BACKUP_SOURCE_NAME).',
    });
  }
  await target.put(key, bytesContent(bytes), signal);
  await target.put(key + WAL_META, bytesContent(serializeWalMeta(meta)), signal);
}

/** The newest state of the segment that is still being written; replaces the last one. */
export async function storeOpenSegment(target: Storage, { key, bytes, meta }: PackedWal, signal: AbortSignal): Promise<void> {
  await target.put(key, bytesContent(bytes), signal);
  await target.put(key + WAL_META, bytesContent(serializeWalMeta(meta)), signal);
}

/** What {@link storeOpenSegment} left of a segment that is finished now. */
export async function removeOpenSegment(target: Storage, origin: WalOrigin, segment: WalFile, codec: CodecName): Promise<void> {
  const key = walKey(origin.source, { ...segment, name: partialName(segment.name) }, codec);
  await target.remove(key + WAL_META);
  await target.remove(key);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
