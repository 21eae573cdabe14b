import { constants, crc32, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

export type CodecName = 'gzip' | 'zstd';

export const CODECS = {
  gzip: { extension: '.sql.gz' },
  zstd: { extension: '.sql.zst' },
} as const;

/** How hard to compress: a level as the codec's own program knows it, or one with its parameters changed. */
export interface Effort {
  readonly level: number;
  /** Of gzip. */
  readonly strategy?: number;
  /** Of zstd. */
  readonly parameters?: Readonly<Record<number, number>>;
}

/** The part of a member between its 32-byte header and its end: what the codec makes of the raw bytes. */
export interface Codec {
  readonly name: CodecName;
  /** One shot, synchronous: meant for worker threads. */
  compress(raw: Uint8Array, effort: Effort): readonly Uint8Array[];
  /** Throws unless `body` is whole, gives exactly `rawLength` bytes and matches its checksum. */
  decompress(body: Uint8Array, rawLength: number): Uint8Array;
}

/**
 * One allocation for nearly every member: zlib otherwise collects the output in pieces of 16 KiB and joins them. For one of
 * a few rows 2 MiB would take longer than to compress it.
 */
function outputChunk(rawLength: number): number {
  return Math.min(2 * 1024 * 1024, rawLength + 1024);
}

/** Of deflate: a little faster and smaller than its default, for a quarter of a megabyte. */
const MOST_MEMORY = 9;

/** With room for the worst case zstd compresses in one go, out of the input itself: a fifth faster than through its own buffers. */
export function zstdBound(rawLength: number): number {
  return rawLength + (rawLength >> 8) + 64 * 1024;
}

const gzip: Codec = {
  name: 'gzip',
  compress(raw, { level, strategy = constants.Z_DEFAULT_STRATEGY }) {
    const deflated = deflateRawSync(raw, { level, strategy, memLevel: MOST_MEMORY, chunkSize: outputChunk(raw.length) });
    const trailer = Buffer.allocUnsafe(8);
    trailer.writeUInt32LE(crc32(raw), 0);
    trailer.writeUInt32LE(raw.length % 2 ** 32, 4);
    return [deflated, trailer];
  },
  decompress(body, rawLength) {
    const trailer = Buffer.from(body.buffer, body.byteOffset + body.length - 8, 8);
    const raw = inflateRawSync(body.subarray(0, -8), {
      maxOutputLength: Math.max(rawLength, 1),
      chunkSize: Math.max(rawLength, 64),
    });
    if (raw.length !== rawLength || trailer.readUInt32LE(4) !== rawLength) throw new Error('the raw length differs');
    if (crc32(raw) !== trailer.readUInt32LE(0)) throw new Error('the CRC-32 differs');
    return raw;
  },
};

const zstd: Codec = {
  name: 'zstd',
  compress(raw, { level, parameters }) {
    return [
      zstdCompressSync(raw, {
        chunkSize: zstdBound(raw.length),
        pledgedSrcSize: raw.length,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: 1,
          [constants.ZSTD_c_contentSizeFlag]: 1,
          ...parameters,
        },
      }),
    ];
  },
  decompress(body, rawLength) {
    const raw = zstdDecompressSync(body, { maxOutputLength: Math.max(rawLength, 1), chunkSize: Math.max(rawLength, 64) });
    if (raw.length !== rawLength) throw new Error('the raw length differs');
    return raw;
  },
};

export function codecOf(name: CodecName): Codec {
  return name === 'gzip' ? gzip : zstd;
}
