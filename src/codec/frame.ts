import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import { zstdBound, type CodecName } from './codec.ts';

/**
 * One whole gzip member or zstd frame, checksum inside, made on one of libuv's threads. Many of them one after another are an ordinary
 * `.gz` or `.zst` file. For files without rows of ours in them (WAL, archives); see `member.ts` for dumps.
 */
export async function compressFrame(codec: CodecName, raw: Uint8Array, level: number): Promise<Uint8Array> {
  if (codec === 'gzip')
    return inOwnBuffer(await promisify(gzip)(raw, { level, chunkSize: Math.min(raw.length + GZIP_SLACK, OUTPUT_BYTES) }));
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = constants;
  const frame = await promisify(zstdCompress)(raw, {
    ...{ pledgedSrcSize: raw.length, chunkSize: Math.min(zstdBound(raw.length), OUTPUT_BYTES) },
    params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 },
  });
  return inOwnBuffer(frame);
}

/** Throws an `Error` unless `frame` is one whole frame of exactly `rawLength` bytes that match its checksum. */
export async function decompressFrame(codec: CodecName, frame: Uint8Array, rawLength: number): Promise<Uint8Array> {
  const options = { maxOutputLength: Math.max(rawLength, 1), chunkSize: rawLength + ZLIB_LEAST };
  const raw = await (codec === 'gzip' ? promisify(gunzip)(frame, options) : promisify(zstdDecompress)(frame, options));
  if (raw.length !== rawLength) throw new Error(`the frame holds ${raw.length} bytes instead of ${rawLength}`);
  return raw;
}

// So few calls on a thread for each frame; Node otherwise makes one for each 16 KiB. Room for all of a file of WAL, most of it not needed,
// made V8 collect the whole heap after every few of them.
const OUTPUT_BYTES = 2 ** 20;
const GZIP_SLACK = 64 * 1024;
/** Node takes no smaller one. */
const ZLIB_LEAST = 64;

/** A result in one piece lies at the start of a larger buffer, which nobody else has. */
function inOwnBuffer(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes;
  const own = new Uint8Array(bytes);
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength > GZIP_SLACK) buffer.transfer(0);
  return own;
}
