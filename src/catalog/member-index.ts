import type { Manifest, MemberEntry, TableEntry } from './manifest.ts';

/**
 * What is wrong with the member index of a manifest, as sentences; empty when nothing is: the members tile the file,
 * head, chunks and tail come in this order, chunks name a table, and runs are closed within one kind and table.
 */
export function memberIndexProblems(manifest: Pick<Manifest, 'members' | 'tables' | 'file'>): string[] {
  const problems: string[] = [];
  const order = { head: 0, chunk: 1, tail: 2 };
  let offset = 0;
  let rawBytes = 0;
  let before: MemberEntry | undefined;
  for (const [index, member] of manifest.members.entries()) {
    if (member.offset !== offset)
      problems.push(`member ${index} begins at byte ${member.offset}, the one before it ends at ${offset}`);
    if (before && order[member.kind] < order[before.kind])
      problems.push(`member ${index} (${member.kind}) follows a ${before.kind} member`);
    if (before?.continues && (before.kind !== member.kind || before.table !== member.table)) {
      problems.push(`member ${index} does not go on with what member ${index - 1} began`);
    }
    if (member.kind === 'chunk' && manifest.tables[member.table ?? -1] === undefined)
      problems.push(`member ${index} names no table of the manifest`);
    offset = member.offset + member.length;
    rawBytes += member.rawLength;
    before = member;
  }
  if (before?.continues) problems.push('the last member says that another follows');
  if (manifest.members[0]?.kind !== 'head') problems.push('the file does not begin with a head');
  if (before?.kind !== 'tail') problems.push('the file does not end with a tail');
  if (offset !== manifest.file.bytes)
    problems.push(`the members end at byte ${offset}, the file has ${manifest.file.bytes} bytes`);
  if (rawBytes !== manifest.file.rawBytes)
    problems.push(`the members hold ${rawBytes} bytes of SQL, the manifest says ${manifest.file.rawBytes}`);
  return problems;
}

/** The table that a chunk's COPY names: the table itself, or the partitioned one its rows are loaded through. */
export function loadTarget(table: TableEntry): { readonly schema: string; readonly name: string } {
  return table.loadInto ?? { schema: table.schema, name: table.name };
}

/** One string per load target, equal exactly for equal targets. */
export function loadTargetKey(table: TableEntry): string {
  const { schema, name } = loadTarget(table);
  return JSON.stringify([schema, name]);
}
