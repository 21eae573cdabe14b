import { COPY_END, copyRowsOffset } from '../codec/copy-block.ts';
import { createRowCutter } from '../codec/copy-rows.ts';
import type { MemberEntry } from '../catalog/manifest.ts';
import { blocksOf } from '../catalog/member-index.ts';
import { BackupError } from '../errors.ts';
import type { BackupSource } from './backup-source.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import { createMemberReader } from './member-reader.ts';

/**
 * Reads the rows of those COPY blocks that `wanted` says yes to (of one that is spread over members, for its first), in file order,
 * one member in memory at a time. `take` is handed each row with the index of the member it ends in; the row is valid only during
 * the call.
 */
export async function readBackupRows(
  source: BackupSource,
  wanted: (table: number, member: number) => boolean,
  take: (row: Buffer, member: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { manifest } = source;
  const { members } = manifest;
  const reader = createMemberReader(source);
  const isWanted = (index: number): boolean => blocksOf(members[index]!).some(({ table }) => wanted(table, index));
  for (let from = 0; from < members.length; from += 1) {
    if (!isWanted(from)) continue;
    let to = from + 1;
    while (to < members.length && (members[to - 1]!.continues || isWanted(to))) to += 1;
    let at = from;
    const rows = createRowCutter((row) => take(row, at));
    for await (const { index, entry, bytes } of reader.read(from, to, signal)) {
      at = index;
      const raw = await decodeInBackground(manifest.codec.name, bytes, describeMember(manifest, index));
      const goesOn = members[index - 1]?.continues === true;
      let offset = 0;
      for (const { table, rawLength } of blocksOf(entry)) {
        const block = raw.subarray(offset, offset + rawLength);
        offset += rawLength;
        if (goesOn || wanted(table, index)) rows.update(rowsOf(block, goesOn, entry) ?? refuse(describeMember(manifest, index)));
      }
    }
    from = to - 1;
  }
}

function rowsOf(block: Buffer, goesOn: boolean, { continues }: MemberEntry): Buffer | undefined {
  const start = goesOn ? 0 : copyRowsOffset(block);
  const end = continues ? block.length : block.length - COPY_END.length;
  return start === undefined || end < start ? undefined : block.subarray(start, end);
}

function refuse(member: string): never {
  throw new BackupError('BACKUP_DAMAGED', `${member} is not a COPY block.`);
}
