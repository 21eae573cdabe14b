import { hash } from 'node:crypto';
import type { MemberEntry } from '../catalog/manifest.ts';
import type { CodecName } from '../codec/codec.ts';
import { systemClock } from '../clock.ts';
import { LevelChooser, type Level } from '../codec/level.ts';
import { encodeMember, type MemberKind } from '../codec/member.ts';
import type { CopiedMember } from './copy-unit.ts';

/** Where the dump's bytes go, in order. */
export interface DumpSink {
  /** Takes the buffer over; resolves when more may come. */
  append(bytes: Uint8Array): Promise<void>;
}

/** Raw bytes of head and tail in one member. */
const SCRIPT_MEMBER_BYTES = 8 * 1024 * 1024;

/** Appends members to the sink and keeps the index. One call at a time. */
export class ScriptWriter {
  readonly members: MemberEntry[] = [];
  readonly #sink: DumpSink;
  readonly #codec: CodecName;
  readonly #levels: LevelChooser;
  #offset = 0;
  #rawBytes = 0;

  constructor(sink: DumpSink, codec: CodecName, level: Level) {
    this.#sink = sink;
    this.#codec = codec;
    this.#levels = new LevelChooser(codec, level, systemClock);
  }

  /** Bytes of the file so far. */
  get bytes(): number {
    return this.#offset;
  }

  get rawBytes(): number {
    return this.#rawBytes;
  }

  async chunk({ blocks, bytes, rawLength, rows, continues, sha256 }: CopiedMember): Promise<void> {
    await this.#append(bytes, {
      kind: 'chunk',
      ...(blocks.length === 1 ? { table: blocks[0]!.table } : {}),
      offset: this.#offset,
      length: bytes.length,
      rawLength,
      rows,
      sha256,
      ...(continues ? { continues } : {}),
      ...(blocks.length > 1 ? { blocks } : {}),
    });
  }

  /** Writes head or tail: `produce` is handed a function that takes the text piece by piece. */
  async script(
    kind: Exclude<MemberKind, 'chunk'>,
    produce: (take: (text: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    let pending: Uint8Array[] = [];
    let length = 0;
    const take = async (text: Uint8Array): Promise<void> => {
      if (length > 0 && length + text.length > SCRIPT_MEMBER_BYTES) {
        await this.#scriptMember(kind, Buffer.concat(pending), true);
        pending = [];
        length = 0;
      }
      pending.push(text);
      length += text.length;
    };
    await produce(take);
    await this.#scriptMember(kind, Buffer.concat(pending), false);
  }

  async #scriptMember(kind: MemberKind, raw: Uint8Array, continues: boolean): Promise<void> {
    const bytes = encodeMember(this.#codec, this.#levels.choose(undefined, raw), { kind, continues, rows: 0 }, raw);
    await this.#append(bytes, {
      kind,
      offset: this.#offset,
      length: bytes.length,
      rawLength: raw.length,
      rows: 0,
      sha256: hash('sha256', bytes, 'hex'),
      ...(continues ? { continues } : {}),
    });
  }

  async #append(bytes: Uint8Array, entry: MemberEntry): Promise<void> {
    this.members.push(entry);
    this.#offset += bytes.length;
    this.#rawBytes += entry.rawLength;
    await this.#sink.append(bytes);
  }
}
