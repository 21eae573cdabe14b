import { BackupError } from '../errors.ts';

/** A file in PostgreSQL's own manifest of a backup. */
export interface PgManifestFile {
  /** From the data directory on; of a tablespace `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, hex; absent where another or no checksum was made. */
  readonly sha256?: string;
}

interface Entry {
  readonly Path?: string;
  /** Hex, of a path that is not UTF-8. */
  readonly 'Encoded-Path'?: string;
  readonly Size: number;
  readonly 'Checksum-Algorithm'?: string;
  readonly Checksum?: string;
}

/** The files of a `backup_manifest`. Throws `BACKUP_DAMAGED` for what is none. */
export function parsePgManifest(bytes: Uint8Array, name: string): PgManifestFile[] {
  try {
    const { Files: files } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { Files: Entry[] };
    return files.map((entry) => ({
      path: entry.Path ?? Buffer.from(entry['Encoded-Path']!, 'hex').toString('latin1'),
      bytes: entry.Size,
      ...(entry['Checksum-Algorithm'] === 'SHA256' && entry.Checksum !== undefined && { sha256: entry.Checksum.toLowerCase() }),
    }));
  } catch (cause) {
    throw new BackupError('BACKUP_DAMAGED', `${name} is not a manifest of PostgreSQL: ${(cause as Error).message}`, {
      cause,
      hint: 'Recover from another target or from an older backup.',
    });
  }
}
