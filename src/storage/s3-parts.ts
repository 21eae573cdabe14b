import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Content } from './storage.ts';

const MIB = 1024 * 1024;
/** S3's own limit for one upload. */
export const MAX_PARTS = 10_000;
const SMALLEST_PART = 8 * MIB;
/** For content of which nothing is known: reaches 312 GiB. */
const UNKNOWN_PART = 32 * MIB;
/** An estimate may be wrong by this factor before the parts run out. */
const MARGIN = 2;

/** Bytes per part, so that the content fits into 10,000 parts: a whole number of MiB, the smallest that reaches. */
export function partSizeFor(content: Pick<Content, 'size' | 'expectedSize'>): number {
  const { size, expectedSize } = content;
  if (size === undefined && expectedSize === undefined) return UNKNOWN_PART;
  const reach = size ?? expectedSize! * MARGIN;
  return Math.max(SMALLEST_PART, Math.ceil(reach / MAX_PARTS / MIB) * MIB);
}

/** Checksums of one content that is sent in parts. */
export interface PartDigest {
  readonly size: number;
  readonly parts: number;
  /** Takes the next bytes of the current part. */
  update(bytes: Uint8Array): void;
  /** Ends the current part; returns its CRC-32 as S3 writes it. */
  endPart(): string;
  /** SHA-256 (hex) of the whole. To be called once. */
  sha256(): string;
  /** Whether `checksum`, as a server keeps it (`…==-3` of the parts, or of the whole object), is that of what was sent. */
  matches(checksum: string): boolean;
}

/**
 * CRC-32 per part and as a whole, which the server compares on arrival and keeps; and the SHA-256 that the manifest has.
 * CRC-32 costs next to nothing, a second and third SHA-256 of every byte would.
 */
export function createPartDigest(): PartDigest {
  const hash = createHash('sha256');
  const parts: number[] = [];
  let size = 0;
  let whole = 0;
  let part = 0;
  return {
    get size() {
      return size;
    },
    get parts() {
      return parts.length;
    },
    update(bytes) {
      hash.update(bytes);
      part = crc32(bytes, part);
      whole = crc32(bytes, whole);
      size += bytes.length;
    },
    endPart() {
      parts.push(part);
      const text = toBase64([part]);
      part = 0;
      return text;
    },
    sha256: () => hash.digest('hex'),
    matches(checksum) {
      const [value, count] = checksum.split('-');
      if (count === undefined) return value === toBase64([whole]);
      return Number(count) === parts.length && value === toBase64([crc32(bigEndian(parts))]);
    },
  };
}

function toBase64(values: readonly number[]): string {
  return bigEndian(values).toString('base64');
}

function bigEndian(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => bytes.writeUInt32BE(value, index * 4));
  return bytes;
}
