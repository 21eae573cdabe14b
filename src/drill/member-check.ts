import { createHash } from 'node:crypto';
import type { Manifest } from '../catalog/manifest.ts';
import { describeContent } from '../catalog/member-index.ts';

/** How many damaged members are listed. */
const LISTED = 10;

export interface MemberCheck {
  /** The file's bytes, in order, in chunks of any size. */
  update(chunk: Uint8Array): void;
  /** What is wrong, a sentence each. */
  end(): string[];
}

/** Compares the SHA-256 of each member of a dump while the file goes by. */
export function createMemberCheck(manifest: Manifest): MemberCheck {
  const { members } = manifest;
  const problems: string[] = [];
  let index = 0;
  let left = members[0]?.length ?? 0;
  let hash = createHash('sha256');

  const describe = () => {
    const member = members[index]!;
    const { offset, length } = member;
    return `member ${index} (${describeContent(manifest, member)}, bytes ${offset} to ${offset + length})`;
  };
  return {
    update(chunk) {
      let rest = chunk;
      while (rest.length > 0 && index < members.length) {
        const part = rest.subarray(0, left);
        hash.update(part);
        left -= part.length;
        rest = rest.subarray(part.length);
        if (left > 0) break;
        if (hash.digest('hex') !== members[index]!.sha256) problems.push(`${describe()} does not have its SHA-256`);
        index += 1;
        left = members[index]?.length ?? 0;
        hash = createHash('sha256');
      }
    },
    end() {
      const cut = index < members.length ? [`it is cut off in ${describe()}`] : [];
      const more = problems.length > LISTED ? [`and ${problems.length - LISTED} more members`] : [];
      return [...problems.slice(0, LISTED), ...more, ...cut];
    },
  };
}
