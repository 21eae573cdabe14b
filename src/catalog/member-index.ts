import type { BlockEntry, Manifest, MemberEntry, TableEntry } from './manifest.ts';

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
    const blocks = blocksOf(member);
    if (member.kind === 'chunk' && (blocks.length === 0 || blocks.some(({ table }) => manifest.tables[table] === undefined)))
      problems.push(`member ${index} names no table of the manifest`);
    if (member.blocks && !holdsItsBlocks(member, before)) problems.push(`member ${index} is not the sum of its blocks`);
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

/** What a chunk is made of: one block, or those that it lists; nothing for head and tail. Of a block that is spread over members: its part. */
export function blocksOf({
  kind,
  table,
  blocks,
  rawLength,
  rows,
}: Omit<MemberEntry, 'offset' | 'length' | 'sha256'>): readonly BlockEntry[] {
  if (kind !== 'chunk') return [];
  return blocks ?? (table === undefined ? [] : [{ table, rawLength, rows }]);
}

function holdsItsBlocks(member: MemberEntry, before: MemberEntry | undefined): boolean {
  const blocks = blocksOf(member);
  const sum = (field: 'rawLength' | 'rows'): number => blocks.reduce((total, block) => total + block[field], 0);
  if (member.table !== undefined || member.continues || before?.continues) return false;
  return sum('rawLength') === member.rawLength && sum('rows') === member.rows;
}

/** What a member holds, for people: `rows of public.orders`, `rows of public.a and 12 other tables`. */
export function describeContent({ tables }: Pick<Manifest, 'tables'>, member: MemberEntry): string {
  if (member.kind === 'head') return 'the definitions';
  if (member.kind === 'tail') return 'indexes and constraints';
  const [first, ...others] = blocksOf(member);
  const table = tables[first?.table ?? -1];
  const more = others.length === 0 ? '' : ` and ${others.length} other ${others.length === 1 ? 'table' : 'tables'}`;
  return `rows of ${table?.schema ?? '?'}.${table?.name ?? '?'}${more}`;
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
