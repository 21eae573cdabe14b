import { promisify } from 'node:util';
import { constants, gunzip, gzip, zstdCompress, zstdDecompress } from 'node:zlib';
import type { CodecName } from './codec.ts';

/**
 * One whole gzip member or zstd frame, checksum inside, made on one of libuv's threads. Many of them one after another are an ordinary
 * `.gz` or `.zst` file. For files without rows of ours in them (WAL, archives); see `member.ts` for dumps.
 */
export async function compressFrame(codec: CodecName, raw: Uint8Array, level: number): Promise<Uint8Array> {
  if (codec === 'gzip') return await promisify(gzip)(raw, { level });
  const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = constants;
  return await promisify(zstdCompress)(raw, {
    pledgedSrcSize: raw.length,
    params: { [ZSTD_c_compressionLevel]: level, [ZSTD_c_checksumFlag]: 1 },
  });
}

/** Throws an `Error` unless `frame` is one whole frame of exactly `rawLength` bytes that match its checksum. */
export async function decompressFrame(codec: CodecName, frame: Uint8Array, rawLength: number): Promise<Uint8Array> {
  const options = { maxOutputLength: Math.max(rawLength, 1) };
  const raw = await (codec === 'gzip' ? promisify(gunzip)(frame, options) : promisify(zstdDecompress)(frame, options));
  if (raw.length !== rawLength) throw new Error(`the frame holds ${raw.length} bytes instead of ${rawLength}`);
  return raw;
}
