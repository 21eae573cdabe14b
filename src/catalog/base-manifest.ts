import type { CodecName } from '../codec/codec.ts';
import { BackupError } from '../errors.ts';
import type { CopyEntry } from './manifest.ts';
import { encodeSource } from './names.ts';

/** Where physical backups are under the backup directory and under the S3 prefix. */
export const BASE = 'base/';
/** PostgreSQL's own list of the files with their checksums, for `pg_verifybackup`. */
export const PG_MANIFEST = 'backup_manifest';
/** Of a full backup. */
const FULL_VERSION = 1;
/** Of an incremental one: a version of this program that does not know what it is must not recover from it. */
const INCREMENTAL_VERSION = 2;

/** A tar archive of a base backup, compressed frame by frame: an ordinary `.tar.gz` or `.tar.zst`. */
export interface BaseArchive {
  /** Its name beside the others: `base.tar.gz`, `16401.tar.gz` of a tablespace. */
  readonly name: string;
  readonly bytes: number;
  readonly rawBytes: number;
  /** Of the compressed file, hex. */
  readonly sha256: string;
  /** Raw bytes of each frame but the last. */
  readonly frameBytes: number;
  /** Bytes of each frame in the file, in order. */
  readonly frames: readonly number[];
}

export interface BaseParent {
  readonly label: string;
  /** Of its `backup_manifest`, hex: another backup under the same name is not it. */
  readonly pgManifestSha256: string;
}

/** `base/<label>.meta`: what a physical backup is. Written last: a backup without it does not count. */
export interface BaseManifest {
  readonly formatVersion: number;
  readonly label: string;
  /** Configured name of the source. */
  readonly source: string;
  readonly systemIdentifier: string;
  readonly serverVersion: string;
  readonly timeline: number;
  /** Replay begins here … */
  readonly startLsn: string;
  /** … and the files are consistent from here on. */
  readonly endLsn: string;
  readonly startedAt: string;
  /** By the source's clock, later than everything in the backup. */
  readonly finishedAt: string;
  readonly segmentBytes: number;
  readonly includesWal: boolean;
  readonly codec: CodecName;
  readonly tablespaces: readonly { readonly oid: string; readonly location: string }[];
  readonly archives: readonly BaseArchive[];
  readonly pgManifest: { readonly bytes: number; readonly sha256: string };
  /** An incremental backup has only what has changed since this one, without which it is of no use. Absent: it is a full one. */
  readonly parent?: BaseParent;
  readonly copies: readonly CopyEntry[];
}

export function baseManifestVersion(isIncremental: boolean): number {
  return isIncremental ? INCREMENTAL_VERSION : FULL_VERSION;
}

/** `base_<source>_<YYYYMMDD>_<HHMMSS>`, UTC. */
export function baseLabel(source: string, started: Date): string {
  const stamp = started.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
  return `base_${encodeSource(source)}_${stamp}`;
}

export function baseManifestKey(label: string): string {
  return `${BASE}${label}.meta`;
}

export function baseFileKey(label: string, name: string): string {
  return `${BASE}${label}/${name}`;
}

export function serializeBaseManifest(manifest: BaseManifest): Uint8Array {
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

/** Throws `BACKUP_FORMAT` for one of a newer version, `BACKUP_DAMAGED` for what is none. */
export function parseBaseManifest(bytes: Uint8Array, name: string): BaseManifest {
  let value: Partial<BaseManifest> | undefined;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<BaseManifest>;
  } catch {
    // Told below.
  }
  if (typeof value?.formatVersion === 'number' && value.formatVersion > INCREMENTAL_VERSION) {
    throw new BackupError('BACKUP_FORMAT', `${name} was written by a newer version of db-backup`, {
      hint: 'Use that version or a newer one. The archives beside it open with tar.',
    });
  }
  const texts = ['label', 'source', 'systemIdentifier', 'startLsn', 'endLsn', 'finishedAt'] as const;
  if (
    !value ||
    texts.some((key) => typeof value[key] !== 'string') ||
    !Array.isArray(value.archives) ||
    !isParent(value.parent)
  ) {
    throw new BackupError('BACKUP_DAMAGED', `${name} is not the manifest of a physical backup`, {
      hint: 'Use the copy on another target, or an older backup. The archives beside it open with tar.',
    });
  }
  return value as BaseManifest;
}

function isParent(value: unknown): boolean {
  if (value === undefined) return true;
  const { label, pgManifestSha256 } = (value ?? {}) as Partial<BaseParent>;
  return typeof label === 'string' && typeof pgManifestSha256 === 'string';
}
