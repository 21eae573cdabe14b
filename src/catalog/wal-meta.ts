import type { CodecName } from '../codec/codec.ts';
import { BackupError } from '../errors.ts';

export const WAL_META_VERSION = 1;

/** A look at the source's clock and WAL: what was committed before `time` lies before `lsn`. */
export interface WalMoment {
  /** ISO 8601, UTC, by the source's clock. */
  readonly time: string;
  readonly lsn: string;
}

/** Beside every stored file of WAL: what it is, and how to check it. Written after the file, which does not count without it. */
export interface WalMeta {
  readonly formatVersion: number;
  /** PostgreSQL's name of the file. */
  readonly file: string;
  /** Of the cluster it is from: files of two must never mix. */
  readonly systemIdentifier: string;
  readonly codec: CodecName;
  readonly bytes: number;
  /** Of the stored file, hex. */
  readonly sha256: string;
  readonly rawBytes: number;
  /** Of the file as PostgreSQL wrote it, hex. */
  readonly rawSha256: string;
  readonly storedAt: string;
  /** The first and the last known moment that lie in it. */
  readonly moments: readonly WalMoment[];
}

export function serializeWalMeta(meta: WalMeta): Uint8Array {
  return Buffer.from(`${JSON.stringify(meta, null, 2)}\n`);
}

/** Throws `BACKUP_DAMAGED` for what is none, `BACKUP_FORMAT` for one of a newer version. */
export function parseWalMeta(bytes: Uint8Array, name: string): WalMeta {
  let value: Partial<WalMeta> | undefined;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<WalMeta>;
  } catch {
    // Told below.
  }
  if (typeof value?.formatVersion === 'number' && value.formatVersion > WAL_META_VERSION) {
    throw new BackupError('BACKUP_FORMAT', `${name} was written by a newer version of db-backup`, {
      hint: 'Use that version or a newer one. The file of WAL beside it opens with gunzip or zstd.',
    });
  }
  if (typeof value?.rawSha256 !== 'string' || typeof value.systemIdentifier !== 'string' || !Array.isArray(value.moments)) {
    throw new BackupError('BACKUP_DAMAGED', `${name} does not describe a file of WAL`, {
      hint: 'The file of WAL beside it may be whole: it opens with gunzip or zstd. Another target may have both.',
    });
  }
  return value as WalMeta;
}
