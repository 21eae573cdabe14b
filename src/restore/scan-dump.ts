import { createHash, hash } from 'node:crypto';
import { copyRowsOffset, splitBlocks } from '../codec/copy-block.ts';
import type { CodecName } from '../codec/codec.ts';
import { MEMBER_HEADER_BYTES, readMemberHeader, type MemberHeader } from '../codec/member.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import type { Storage } from '../storage/storage.ts';
import { openBytes } from './byte-stream.ts';
import { decodeInBackground } from './decode.ts';
import { createRowTally, type Tally } from './row-tally.ts';
import { readBegin, readEnd } from './script-text.ts';

export interface ScannedMember {
  readonly header: MemberHeader;
  readonly offset: number;
  readonly sha256: string;
  /** Of a chunk: its blocks. */
  readonly blocks?: readonly ScannedBlock[];
}

export interface ScannedBlock {
  /** The first line of the COPY block, in the database's encoding (bytes as Latin-1). */
  readonly copyHeader: string;
  readonly rawLength: number;
  readonly rows: number;
}

export interface Scan {
  /** Whole, decodable members from the start of the file up to where that ended. */
  readonly members: readonly ScannedMember[];
  /** Rows by COPY header. */
  readonly tables: ReadonlyMap<string, Tally>;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly sha256: string;
  /** Facts of the first and the last line of the script, when they are there. */
  readonly begin: unknown;
  readonly end: unknown;
  /** Why the reading stopped before the end of the file. */
  readonly problem?: string;
}

/** Reads a dump without its manifest: member after member by their headers, decoding and digesting each, until one is not whole. */
export async function scanDump(
  copy: Storage,
  key: string,
  codec: CodecName,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<Scan> {
  const stream = openBytes(copy.get(key, undefined, signal));
  const fileHash = createHash('sha256');
  const rows = createRowTally();
  const members: ScannedMember[] = [];
  const tables = new Map<string, Tally>();
  let [offset, rawBytes] = [0, 0];
  let [begin, end]: unknown[] = [];
  let copyHeader: string | undefined;
  let problem: string | undefined;
  try {
    while (problem === undefined && !(await stream.ended())) {
      const member = await nextMember(codec, stream, offset).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!(error instanceof Error) || !/^the file ends|^no member/.test(error.message)) throw error;
        return error.message;
      });
      if (typeof member === 'string') {
        problem = member;
        break;
      }
      const { header, bytes } = member;
      let blocks: ScannedBlock[] | undefined;
      try {
        const raw = await decodeInBackground(codec, bytes, `the member at byte ${offset}`);
        if (header.kind === 'chunk') {
          const first = members.at(-1)?.header.continues !== true;
          blocks = (header.several ? splitBlocks(raw) : [raw]).map((text) => {
            if (first) copyHeader = text.toString('latin1', 0, Math.max(0, (copyRowsOffset(text) ?? 0) - 1));
            const block = rows.add(text, first, !header.continues);
            const sum = tables.get(copyHeader!) ?? { rows: 0, digest: EMPTY_DIGEST };
            if (block) tables.set(copyHeader!, { rows: sum.rows + block.rows, digest: addDigests(sum.digest, block.digest) });
            return { copyHeader: copyHeader!, rawLength: text.length, rows: block?.rows ?? 0 };
          });
        }
        if (members.length === 0) begin = readBegin(raw)?.facts;
        end = header.kind === 'tail' && !header.continues ? readEnd(raw)?.facts : undefined;
        rawBytes += raw.length;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
        break;
      }
      fileHash.update(bytes);
      members.push({
        header,
        offset,
        sha256: hash('sha256', bytes),
        ...(blocks && { blocks }),
      });
      offset += bytes.length;
      onBytes(offset);
    }
  } finally {
    await stream.close();
  }
  return {
    members,
    tables,
    bytes: offset,
    rawBytes,
    sha256: fileHash.digest('hex'),
    begin,
    end,
    ...(problem === undefined ? {} : { problem }),
  };
}

async function nextMember(
  codec: CodecName,
  stream: ReturnType<typeof openBytes>,
  offset: number,
): Promise<{ header: MemberHeader; bytes: Buffer }> {
  const head = await stream.take(MEMBER_HEADER_BYTES);
  const header = readMemberHeader(codec, head);
  if (!header) throw new Error(`no member of ours begins at byte ${offset}`);
  return { header, bytes: Buffer.concat([head, await stream.take(header.length - MEMBER_HEADER_BYTES)]) };
}
