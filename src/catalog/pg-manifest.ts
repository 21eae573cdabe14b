import { BackupError } from '../errors.ts';

/** A file in PostgreSQL's own manifest of a backup. */
export interface PgManifestFile {
  /** From the data directory on; of a tablespace `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly bytes: number;
  /** Absent where none was made, or one that is not known here. */
  readonly checksum?: PgChecksum;
}

export interface PgChecksum {
  /** Backups are taken with the first; those of before have the second. */
  readonly algorithm: (typeof ALGORITHMS)[number];
  /** Lower-case; of CRC-32C the lowest byte first, as a little-endian server writes it. */
  readonly hex: string;
}

const ALGORITHMS = ['CRC32C', 'SHA256'] as const;

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
      ...checksumOf(entry),
    }));
  } catch (cause) {
    throw new BackupError('BACKUP_DAMAGED', `${name} is not a manifest of PostgreSQL: ${(cause as Error).message}`, {
      cause,
      hint: 'Recover from another target or from an older backup.',
    });
  }
}

function checksumOf({ 'Checksum-Algorithm': name, Checksum: hex }: Entry): Pick<PgManifestFile, 'checksum'> {
  const algorithm = ALGORITHMS.find((known) => known === name);
  return algorithm === undefined || hex === undefined ? {} : { checksum: { algorithm, hex: hex.toLowerCase() } };
}
