import { codecOf, type CodecName, type Effort } from './codec.ts';

/** Members of a dump file; the layout is in `docs/backup-format.md`. */
export type MemberKind = 'head' | 'chunk' | 'tail';

export interface MemberHeader {
  readonly kind: MemberKind;
  /** The next member goes on with the same script or COPY block. */
  readonly continues: boolean;
  /** Bytes of the whole member in the file, this header included. */
  readonly length: number;
  readonly rawLength: number;
  /** Rows that end in this member. */
  readonly rows: number;
  /** It is made of several COPY blocks. */
  readonly several?: boolean;
}

export const MEMBER_HEADER_BYTES = 32;

const KINDS: readonly MemberKind[] = ['head', 'chunk', 'tail'];
const VERSION = 1;
const FIELDS_AT = 16;
/** Flags. */
const CONTINUES = 1;
const SEVERAL = 2;
const PREFIX: Record<CodecName, Buffer> = {
  gzip: Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 20, 0, 0x44, 0x42, 16, 0]),
  zstd: Buffer.concat([Buffer.from([0x5b, 0x2a, 0x4d, 0x18, 24, 0, 0, 0]), Buffer.from('dbbackup')]),
};

/** A complete member in a buffer of its own, so that it can be handed to another thread without a copy. */
export function encodeMember(
  codec: CodecName,
  effort: Effort,
  fields: Pick<MemberHeader, 'kind' | 'continues' | 'rows' | 'several'>,
  raw: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const body = codecOf(codec).compress(raw, effort);
  const length = body.reduce((sum, part) => sum + part.length, MEMBER_HEADER_BYTES);
  const member = new Uint8Array(length);
  const view = Buffer.from(member.buffer);
  view.set(PREFIX[codec], 0);
  view[FIELDS_AT] = VERSION;
  view[FIELDS_AT + 1] = KINDS.indexOf(fields.kind);
  view[FIELDS_AT + 2] = (fields.continues ? CONTINUES : 0) | (fields.several ? SEVERAL : 0);
  view.writeUInt32LE(length, FIELDS_AT + 4);
  view.writeUInt32LE(raw.length, FIELDS_AT + 8);
  view.writeUInt32LE(fields.rows, FIELDS_AT + 12);
  let offset = MEMBER_HEADER_BYTES;
  for (const part of body) {
    member.set(part, offset);
    offset += part.length;
    release(part);
  }
  return member;
}

/** Gives the codec's buffer back at once: left to the garbage collector, tens of megabytes of them pile up in every thread. */
function release(part: Uint8Array): void {
  // Small buffers are slices of one that others share.
  if (part.buffer instanceof ArrayBuffer && part.buffer.byteLength > 64 * 1024) part.buffer.transfer(0);
}

/** Reads the header at the start of `bytes` (32 or more); `undefined` if no member of ours begins there. */
export function readMemberHeader(codec: CodecName, bytes: Uint8Array): MemberHeader | undefined {
  if (bytes.length < MEMBER_HEADER_BYTES) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, MEMBER_HEADER_BYTES);
  const kind = KINDS[view[FIELDS_AT + 1]!];
  const length = view.readUInt32LE(FIELDS_AT + 4);
  if (!view.subarray(0, FIELDS_AT).equals(PREFIX[codec]) || view[FIELDS_AT] !== VERSION) return undefined;
  if (kind === undefined || length <= MEMBER_HEADER_BYTES) return undefined;
  return {
    kind,
    continues: (view[FIELDS_AT + 2]! & CONTINUES) !== 0,
    length,
    rawLength: view.readUInt32LE(FIELDS_AT + 8),
    rows: view.readUInt32LE(FIELDS_AT + 12),
    ...((view[FIELDS_AT + 2]! & SEVERAL) !== 0 && { several: true }),
  };
}

/** The raw bytes of one whole member. Throws an `Error` that says what is wrong with it when it is damaged. */
export function decodeMember(codec: CodecName, member: Uint8Array): Uint8Array {
  const header = readMemberHeader(codec, member);
  if (!header) throw new Error('this is not the beginning of a member');
  if (header.length !== member.length) throw new Error('the member is cut off');
  return codecOf(codec).decompress(member.subarray(MEMBER_HEADER_BYTES), header.rawLength);
}
