import { COPY_END, copyRowsOffset } from '../codec/copy-block.ts';
import { createRowCutter } from '../codec/copy-rows.ts';
import type { MemberEntry } from '../catalog/manifest.ts';
import { BackupError } from '../errors.ts';
import type { BackupSource } from './backup-source.ts';
import { decodeInBackground } from './decode.ts';
import { describeMember } from './describe-member.ts';
import { createMemberReader } from './member-reader.ts';

/**
 * Reads the rows of those COPY blocks whose first member `wanted` says yes to, in file order, one member in memory at a time.
 * `take` is handed each row with the index of the member it ends in; the row is valid only during the call.
 */
export async function readBackupRows(
  source: BackupSource,
  wanted: (member: MemberEntry, index: number) => boolean,
  take: (row: Buffer, member: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { manifest } = source;
  const { members } = manifest;
  const reader = createMemberReader(source);
  for (let from = 0; from < members.length; from += 1) {
    if (members[from]!.kind !== 'chunk' || !wanted(members[from]!, from)) continue;
    let to = from + 1;
    while (to < members.length && (members[to - 1]!.continues || (members[to]!.kind === 'chunk' && wanted(members[to]!, to))))
      to += 1;
    let at = from;
    const rows = createRowCutter((row) => take(row, at));
    for await (const { index, entry, bytes } of reader.read(from, to, signal)) {
      at = index;
      const raw = await decodeInBackground(manifest.codec.name, bytes, describeMember(manifest, index));
      const start = members[index - 1]?.continues ? 0 : copyRowsOffset(raw);
      const end = entry.continues ? raw.length : raw.length - COPY_END.length;
      if (start === undefined || end < start)
        throw new BackupError('BACKUP_DAMAGED', `${describeMember(manifest, index)} is not a COPY block.`);
      rows.update(raw.subarray(start, end));
    }
    from = to - 1;
  }
}
