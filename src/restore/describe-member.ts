import type { Manifest } from '../catalog/manifest.ts';

/** `member 12 (rows of public.orders, bytes 1000 to 2000)`: what a person needs to know which data is meant. */
export function describeMember(manifest: Manifest, index: number): string {
  const member = manifest.members[index];
  if (!member) return `member ${index}`;
  const table = manifest.tables[member.table ?? -1];
  const what =
    member.kind === 'head'
      ? 'the definitions'
      : member.kind === 'tail'
        ? 'indexes and constraints'
        : `rows of ${table?.schema ?? '?'}.${table?.name ?? '?'}`;
  return `member ${index} (${what}, bytes ${member.offset} to ${member.offset + member.length})`;
}
