import type { Manifest, TableEntry } from '../catalog/manifest.ts';
import { loadTarget, loadTargetKey } from '../catalog/member-index.ts';
import type { TableDigest } from '../catalog/table-digest.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import type { Finding, Findings } from './check.ts';

/** Rows of one table. */
export interface Rows {
  readonly rows: number;
  readonly bytes: number;
  readonly digest: string;
}

/** One line of the proof: a table, or a partitioned one whose partitions were loaded through it. */
export interface TableComparison {
  readonly schema: string;
  readonly name: string;
  /** What the source had at the backup's snapshot. */
  readonly expected: Rows;
  /** What the restored database has; absent when it cannot be said. */
  readonly found?: Rows;
  readonly equal: boolean;
}

/** Says where the rows of tables differ from the backup, in sentences. The tables are those of one load target. */
export type Locate = (tables: readonly TableEntry[]) => Promise<readonly string[]>;

/** Tables whose differences are located: it takes reading the table and its part of the backup twice. */
const LOCATED = 5;

/** Every table of the manifest by number of rows and digest; of partitions that are loaded through their root, the sum. */
export async function compareTables(
  manifest: Manifest,
  digests: readonly TableDigest[],
  locate: Locate | undefined,
  { failed, unsure }: Pick<Findings, 'failed' | 'unsure'>,
): Promise<TableComparison[]> {
  const present = new Map(digests.map((digest) => [JSON.stringify([digest.schema, digest.name]), digest]));
  const targets = new Map<string, TableEntry[]>();
  for (const table of manifest.tables) {
    const others = targets.get(loadTargetKey(table));
    if (others) others.push(table);
    else targets.set(loadTargetKey(table), [table]);
  }
  const comparisons: TableComparison[] = [];
  let located = 0;
  for (const tables of targets.values()) {
    const { schema, name } = loadTarget(tables[0]!);
    const object = `${schema}.${name}`;
    const found = tables.map((table) => present.get(JSON.stringify([table.schema, table.name])));
    const expected = sum(tables);
    const gaps = tables.flatMap((table, index): Finding[] => {
      const digest = found[index];
      if (digest?.found) return [];
      return [{ object: `${table.schema}.${table.name}`, message: digest?.problem ?? 'it was not looked at' }];
    });
    if (gaps.length > 0) {
      failed.push(...gaps);
      comparisons.push({ schema, name, expected, equal: false });
      continue;
    }
    const is = sum(found.map((digest) => digest!.found!));
    // A row of such a table looks different in each partition, and which it is in is not the same after a restore.
    const incomparable = new Set(tables.map(({ columns }) => JSON.stringify(columns))).size > 1;
    const equal = is.rows === expected.rows && (incomparable || is.digest === expected.digest);
    comparisons.push({ schema, name, expected, found: is, equal: equal && !incomparable });
    if (equal) {
      if (incomparable)
        unsure.push({
          object,
          message: 'its partitions have their columns in different orders: only the number of rows was compared',
        });
      continue;
    }
    const where = locate && !incomparable && located < LOCATED ? await locate(tables).catch(notLocated) : [];
    located += where.length > 0 ? 1 : 0;
    failed.push({ object, message: [describe(expected, is), ...where].join(' ') });
  }
  return comparisons;
}

/** That the table differs is known without it. */
function notLocated(error: unknown): string[] {
  return [`Where could not be found out: ${error instanceof Error ? error.message : String(error)}.`];
}

function sum(parts: readonly Rows[]): Rows {
  return parts.reduce(
    (total, { rows, bytes, digest }) => ({
      rows: total.rows + rows,
      bytes: total.bytes + bytes,
      digest: addDigests(total.digest, digest),
    }),
    { rows: 0, bytes: 0, digest: EMPTY_DIGEST },
  );
}

function describe(expected: Rows, found: Rows): string {
  if (found.rows !== expected.rows) return `It has ${found.rows} rows, the source had ${expected.rows}.`;
  return `It has the ${found.rows} rows of the source by number, but not by content: digest ${found.digest}, expected ${expected.digest}.`;
}
