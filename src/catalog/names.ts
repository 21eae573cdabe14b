import { CODECS, type CodecName } from '../codec/codec.ts';

/** Where dumps live under the backup directory and under the S3 prefix. */
export const FULL = 'full/';

/** Suffixes of the files beside a dump. A dump is listed only if its manifest exists. */
export const SIDE = {
  manifest: '.meta',
  toc: '.toc',
  globals: '.globals.gz',
  expired: '.expired',
  pin: '.pin',
} as const;

export interface DumpName {
  /** `backup_<source>_<YYYYMMDD>_<HHMMSS>`: the name people use on the command line. */
  readonly label: string;
  /** The configured name of the source, decoded. */
  readonly source: string;
  /** The start of the backup, UTC, to the second. */
  readonly started: Date;
  readonly codec: CodecName;
}

const PATTERN = /^backup_(.+)_(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})(\.sql\.gz|\.sql\.zst)$/;

/** `backup_<source>_<YYYYMMDD>_<HHMMSS>`, UTC; every character of the source outside `A-Za-z0-9.-` is percent-encoded (UTF-8). */
export function labelOf(source: string, started: Date): string {
  const stamp = started.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
  return `backup_${encodeSource(source)}_${stamp}`;
}

/** Key of the dump file of a label: `full/<label>.sql.gz`. */
export function dumpKey(label: string, codec: CodecName): string {
  return `${FULL}${label}${CODECS[codec].extension}`;
}

/** The parts of a dump's key or file name, or `undefined` if it is not the name of a dump of ours. */
export function parseDumpName(keyOrFile: string): DumpName | undefined {
  const file = keyOrFile.slice(keyOrFile.lastIndexOf('/') + 1);
  const match = PATTERN.exec(file);
  if (!match) return undefined;
  const [, source, year, month, day, hour, minute, second, extension] = match as unknown as string[];
  const started = new Date(`${year!}-${month!}-${day!}T${hour!}:${minute!}:${second!}Z`);
  if (Number.isNaN(started.getTime())) return undefined;
  const decoded = decodeSource(source!);
  if (decoded === undefined) return undefined;
  return {
    label: file.slice(0, file.length - extension!.length),
    source: decoded,
    started,
    codec: extension === CODECS.gzip.extension ? 'gzip' : 'zstd',
  };
}

/** Every character outside `A-Za-z0-9.-` as percent-encoded UTF-8: safe in a file name, and no two sources share one. */
export function encodeSource(source: string): string {
  return Array.from(new TextEncoder().encode(source), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9.-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

/** The name that was encoded; `undefined` for what is no such name. */
export function decodeSource(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}
