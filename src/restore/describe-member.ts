import type { Manifest } from '../catalog/manifest.ts';
import { describeContent } from '../catalog/member-index.ts';

/** `member 12 (rows of public.orders, bytes 1000 to 2000)`: what a person needs to know which data is meant. */
export function describeMember(manifest: Manifest, index: number): string {
  const member = manifest.members[index];
  if (!member) return `member ${index}`;
  return `member ${index} (${describeContent(manifest, member)}, bytes ${member.offset} to ${member.offset + member.length})`;
}
