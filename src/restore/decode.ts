import { promisify } from 'node:util';
import { gunzip, zstdDecompress } from 'node:zlib';
import type { CodecName } from '../codec/codec.ts';
import { MEMBER_HEADER_BYTES, readMemberHeader } from '../codec/member.ts';
import { BackupError } from '../errors.ts';

const gunzipAll = promisify(gunzip);
const zstdDecompressAll = promisify(zstdDecompress);

/**
 * The raw bytes of one whole member, decompressed on the thread pool of the process, so that the caller's thread stays free
 * for sockets and hashes. The codec's own checksum is checked. `what` names the member in messages.
 */
export async function decodeInBackground(codec: CodecName, member: Uint8Array, what: string): Promise<Buffer> {
  const header = readMemberHeader(codec, member);
  if (header?.length !== member.length) throw damaged(what, 'it does not begin as a member of its length');
  // One allocation: room for a byte more than there is, or zlib asks for a second buffer to see that nothing follows.
  const options = { chunkSize: Math.max(header.rawLength + 64, 64), maxOutputLength: header.rawLength + 64 };
  let raw: Buffer;
  try {
    raw =
      codec === 'gzip'
        ? await gunzipAll(member, options)
        : await zstdDecompressAll(member.subarray(MEMBER_HEADER_BYTES), options);
  } catch (error) {
    throw damaged(what, error instanceof Error ? error.message : String(error), error);
  }
  if (raw.length !== header.rawLength) throw damaged(what, `it holds ${raw.length} bytes, its header says ${header.rawLength}`);
  return raw;
}

function damaged(what: string, why: string, cause?: unknown): BackupError {
  return new BackupError('BACKUP_DAMAGED', `${what} cannot be decompressed: ${why}.`, {
    cause,
    hint: 'Restore from another target or another backup. `backup-manager verify` says what else of it is damaged.',
  });
}
