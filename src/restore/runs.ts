import { COPY_END, copyRowsOffset } from '../codec/copy-block.ts';
import type { BlockEntry, Manifest } from '../catalog/manifest.ts';
import { blocksOf } from '../catalog/member-index.ts';
import { BackupError } from '../errors.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import type { ReadMember } from './member-reader.ts';
import { release } from '../codec/release.ts';
import { spreadMembers, type SpreadMembers } from './spread-members.ts';

/** One whole COPY block: a member, a part of one, or several that continue one another. */
export interface Run {
  /** Index into the manifest's tables. */
  readonly table: number;
  /** Rows that the manifest says the block has; known for certain only after `text` has ended. */
  readonly rows: () => number;
  /** The rows as COPY text, in order, without header and `\.`. */
  readonly text: AsyncIterable<Buffer>;
  /** To be called when the text is no longer needed, read or not: until then a long run keeps the next one from being had. */
  close(): void;
  /** Whether more than one member belongs to it: then the next run is not to be asked for before this one is read. */
  readonly long: boolean;
  /** Whether its text lies in one buffer with that of other runs, which may still be read. */
  readonly shared: boolean;
}

export interface RunQueue {
  /**
   * The next block, about in file order, for whoever asks first; of a table that is not busy, if one is near. Decompression
   * of its first member has begun.
   */
  next(isBusy?: (table: number) => boolean): Promise<Run | undefined>;
  /** From now on there is nothing more to be had. */
  stop(): void;
}

/**
 * Hands out the COPY blocks of `members` one by one to any number of askers, those of `wanted` tables only; what is not asked for
 * is not read.
 */
export function createRunQueue(
  manifest: Manifest,
  members: AsyncIterator<ReadMember, void>,
  wanted: (table: number) => boolean = () => true,
): RunQueue {
  const spread = spreadMembers(members);
  /** Blocks of a member of several that was read: the others go before any further member. */
  const split: Run[] = [];
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  const decode = async (member: ReadMember): Promise<Buffer> => {
    const raw = await decodeInBackground(manifest.codec.name, member.bytes, describeMember(manifest, member.index));
    release(member.bytes);
    return raw;
  };

  return {
    async next(isBusy = () => false) {
      const before = turn;
      let release!: () => void;
      turn = new Promise((resolve) => (release = resolve));
      await before;
      let keepTurn = false;
      try {
        if (stopped) return undefined;
        while (split.length === 0) {
          const first = await spread.next(isBusy);
          if (!first) return undefined;
          if (first.entry.blocks === undefined) {
            keepTurn = first.entry.continues === true;
            return openRun(manifest, first, decode, spread, release);
          }
          split.push(...blockRuns(manifest, first, decode(first), wanted));
        }
        return split.splice(
          Math.max(
            split.findIndex(({ table }) => !isBusy(table)),
            0,
          ),
          1,
        )[0];
      } finally {
        if (!keepTurn) release();
      }
    },
    stop: () => (stopped = true),
  };
}

/** The wanted blocks of a member that is made of several. */
function blockRuns(
  manifest: Manifest,
  { index, entry }: ReadMember,
  decoded: Promise<Buffer>,
  wanted: (table: number) => boolean,
): Run[] {
  // Whoever reads a text meets the failure; until then it must not count as unhandled.
  decoded.catch(() => undefined);
  let offset = 0;
  return blocksOf(entry).flatMap((block): Run[] => {
    const start = offset;
    offset += block.rawLength;
    if (!wanted(block.table)) return [];
    return [
      {
        table: block.table,
        rows: () => block.rows,
        text: blockText(manifest, index, decoded, start, block),
        long: false,
        shared: true,
        close: () => undefined,
      },
    ];
  });
}

async function* blockText(
  manifest: Manifest,
  index: number,
  decoded: Promise<Buffer>,
  start: number,
  { rawLength }: BlockEntry,
): AsyncGenerator<Buffer, void, void> {
  const raw = (await decoded).subarray(start, start + rawLength);
  const rowsAt = copyRowsOffset(raw);
  if (rowsAt === undefined) throw notABlock(manifest, index, `does not begin with COPY at byte ${start} of its SQL`);
  yield withoutEnd(manifest, index, raw.subarray(rowsAt));
}

function openRun(
  manifest: Manifest,
  first: ReadMember,
  decode: (member: ReadMember) => Promise<Buffer>,
  members: SpreadMembers,
  release: () => void,
): Run {
  const firstRaw = decode(first);
  // Whoever reads the text meets the failure; until then it must not count as unhandled.
  firstRaw.catch(() => undefined);
  let rows = first.entry.rows;

  async function* text(): AsyncGenerator<Buffer, void, void> {
    let member = first;
    let raw = await firstRaw;
    const start = copyRowsOffset(raw);
    if (start === undefined) throw notABlock(manifest, member.index, 'does not begin with COPY');
    raw = raw.subarray(start);
    while (member.entry.continues) {
      yield raw;
      const next = await members.following();
      if (!next) throw notABlock(manifest, member.index, 'is not followed by the rest of its block');
      member = next;
      rows += member.entry.rows;
      raw = await decode(member);
    }
    yield withoutEnd(manifest, member.index, raw);
  }

  const long = first.entry.continues === true;
  return { table: first.entry.table ?? -1, rows: () => rows, text: text(), long, shared: false, close: release };
}

function withoutEnd(manifest: Manifest, index: number, text: Buffer): Buffer {
  const end = text.length - COPY_END.length;
  if (end < 0 || !text.subarray(end).equals(COPY_END)) throw notABlock(manifest, index, 'does not end a COPY block');
  return text.subarray(0, end);
}

function notABlock(manifest: Manifest, index: number, problem: string): BackupError {
  return new BackupError('BACKUP_DAMAGED', `${describeMember(manifest, index)} ${problem}.`, {
    hint: 'The dump was not written as its format says. Please report it; `gunzip -c FILE | psql` shows what of it is usable.',
  });
}
