import type { MemberEntry } from '../catalog/manifest.ts';
import { blocksOf } from '../catalog/member-index.ts';
import type { CodecName } from '../codec/codec.ts';
import type { OddRow, RowDifference } from './row-difference.ts';

/** The dump that the rows were compared with. */
export interface DumpFile {
  readonly name: string;
  readonly codec: CodecName;
  readonly members: readonly MemberEntry[];
  /** Whether a block is one of those whose rows were compared. */
  readonly isOfTable: (table: number) => boolean;
}

/** `\\.` and an empty line. */
const LINES_OF_END = 2;
const DECOMPRESS: Record<CodecName, string> = { gzip: 'gunzip', zstd: 'zstd -dc' };

/**
 * What differs and where in the backup it lies, in sentences: numbers, names of columns, places; no values, which may be personal
 * data. Who may see them finds the row by the command.
 */
export function describeDifference(difference: RowDifference, columns: readonly string[], file: DumpFile): string[] {
  const { missing, missingCount, extra, extraCount, whole } = difference;
  const pairs = pairUp(missing, extra);
  const atLeast = whole ? '' : 'at least ';
  const sentences = [
    `${capital(atLeast)}${rows(missingCount)} of the backup ${missingCount === 1 ? 'is' : 'are'} not in the table, ` +
      `${atLeast}${rows(extraCount)} of the table ${extraCount === 1 ? 'is' : 'are'} not in the backup.`,
  ];
  if (pairs.length > 0) {
    const changed = [...new Set(pairs.flat())].sort((a, b) => a - b).map((field) => columns[field] ?? `number ${field + 1}`);
    sentences.push(
      `${pairs.length === 1 ? 'One pair' : `${pairs.length} pairs`} of them ${pairs.length === 1 ? 'differs' : 'differ'} only in column ${changed.join(', ')}: changed rather than lost.`,
    );
  }
  const first = missing[0];
  if (first?.member === undefined) return sentences;
  const [from, to] = [file.members[first.member]!, file.members[missing.at(-1)!.member!]!];
  const last = missing.at(-1)!.member!;
  const range = first.member === last ? `member ${first.member}` : `members ${first.member} to ${last}`;
  sentences.push(
    `In ${file.name} they lie in ${range}, bytes ${from.offset} to ${to.offset + to.length - 1}; the first is row ${first.row} of member ${first.member}.`,
  );
  const begins = file.members[first.member - 1]?.continues !== true;
  if (begins && from.continues !== true) {
    const line = lineOf(from, first.row!, file.isOfTable);
    sentences.push(
      `To see it: tail -c +${from.offset + 1} ${file.name} | head -c ${from.length} | ${DECOMPRESS[file.codec]} | sed -n ${line}p`,
    );
  }
  return sentences;
}

/** The line of a member's SQL with the row that is the `row`th of the blocks that count. */
function lineOf(member: MemberEntry, row: number, counts: DumpFile['isOfTable']): number {
  let [line, left] = [0, row];
  for (const { table, rows } of blocksOf(member)) {
    // A block begins with the line of its COPY statement.
    if (counts(table) && left <= rows) return line + 1 + left;
    if (counts(table)) left -= rows;
    line += 1 + rows + LINES_OF_END;
  }
  return line;
}

/** Pairs rows that are alike but for less than half of their fields; of each pair, which fields differ. */
function pairUp(missing: readonly OddRow[], extra: readonly OddRow[]): number[][] {
  const left = [...extra];
  return missing.flatMap(({ fields }) => {
    let best: { readonly at: number; readonly differing: number[] } | undefined;
    for (const [at, other] of left.entries()) {
      if (other.fields.length !== fields.length) continue;
      const differing = fields.flatMap((field, index) => (field === other.fields[index] ? [] : [index]));
      if (differing.length * 2 > fields.length || differing.length === fields.length) continue;
      if (best === undefined || isCloser(differing, best.differing)) best = { at, differing };
    }
    if (!best) return [];
    left.splice(best.at, 1);
    return [best.differing];
  });
}

/** Fewer fields, and among equals later ones: keys mostly come first. */
function isCloser(a: readonly number[], b: readonly number[]): boolean {
  return a.length < b.length || (a.length === b.length && a[0]! > b[0]!);
}

function rows(count: number): string {
  return count === 1 ? '1 row' : `${count} rows`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
