import type { CopyUnit } from './copy-unit.ts';
import type { SourceTable } from './tables.ts';

export interface PlanOptions {
  readonly workers: number;
  readonly serverVersion: number;
  /** As PostgreSQL knows it, for `COPY … (ENCODING …)`. */
  readonly encoding: string;
}

const PAGE = 8192;
/** Range scans by ctid read only the range's pages since PostgreSQL 14; before, each would read the whole table. */
const TID_RANGE_SCAN = 140000;
/** Smaller ranges would end in chunks that are only partly filled. */
const MIN_RANGE_BYTES = 32 * 1024 * 1024;
const RANGES_A_WORKER = 12;
/** Units below this go to a worker several at a time, in one query. */
const SMALL = 1024 * 1024;
const BATCH_UNITS = 64;

/**
 * Splits the work into batches, large ones first, so that the workers end together. A unit is a table or, of a large one, a
 * range of its pages; a batch is one large unit or several small ones.
 */
export function planCopies(tables: readonly SourceTable[], options: PlanOptions): CopyUnit[][] {
  const total = tables.reduce((sum, table) => sum + table.totalBytes, 0);
  const target = Math.max(MIN_RANGE_BYTES, total / (options.workers * RANGES_A_WORKER));
  const units = tables
    .flatMap((table, index) => unitsOf(table, index, target, options))
    .sort((a, b) => b.weight - a.weight || a.table - b.table);
  const batches: CopyUnit[][] = alternate(
    units.filter((unit) => unit.weight >= SMALL),
    options.workers,
  ).map((unit) => [unit]);
  let small: CopyUnit[] = [];
  let smallBytes = 0;
  for (const unit of units.filter((each) => each.weight < SMALL)) {
    small.push(unit);
    smallBytes += unit.weight;
    if (small.length === BATCH_UNITS || smallBytes >= 4 * SMALL) {
      batches.push(small);
      small = [];
      smallBytes = 0;
    }
  }
  if (small.length > 0) batches.push(small);
  return batches;
}

/**
 * Orders large units so that neighbours are of different tables where that can be had, the table with the most left first.
 * A restore loads the chunks in about this order, and two sessions that extend one table wait for each other.
 */
function alternate(units: readonly CopyUnit[], workers: number): CopyUnit[] {
  const left = new Map<number, { weight: number; units: CopyUnit[] }>();
  for (const unit of units) {
    const table = left.get(unit.table) ?? { weight: 0, units: [] };
    table.weight += unit.weight;
    table.units.push(unit);
    left.set(unit.table, table);
  }
  const ordered: CopyUnit[] = [];
  while (left.size > 0) {
    const recent = ordered.slice(Math.max(0, ordered.length - workers + 1)).map((unit) => unit.table);
    const tables = [...left].sort(([, a], [, b]) => b.weight - a.weight);
    const [table, rest] = tables.find(([candidate]) => !recent.includes(candidate)) ?? tables[0]!;
    const unit = rest.units.shift()!;
    rest.weight -= unit.weight;
    if (rest.units.length === 0) left.delete(table);
    ordered.push(unit);
  }
  return ordered;
}

function unitsOf(table: SourceTable, index: number, target: number, options: PlanOptions): CopyUnit[] {
  // Without a page no row can be visible: the file was found to be the one that the snapshot sees.
  if (table.heap && table.heapBytes === 0) return [];
  const form = `(FORMAT text, ENCODING '${options.encoding}')`;
  const unit = { table: index, label: table.sqlName, lockName: `ONLY ${table.sqlName}`, header: table.header };
  const pages = Math.ceil(table.heapBytes / PAGE);
  const count = Math.min(Math.floor(table.totalBytes / target), pages);
  if (count < 2 || !table.heap || options.serverVersion < TID_RANGE_SCAN) {
    return [{ ...unit, sql: `COPY ${table.sqlName} ${table.sqlColumns} TO STDOUT WITH ${form}`, weight: table.totalBytes }];
  }
  const columns = table.sqlColumns.slice(1, -1);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((pages * i) / count);
    const to = Math.floor((pages * (i + 1)) / count);
    // The last range is open: pages that were added since belong to it, should the snapshot see any of their rows.
    const conditions = [`ctid >= '(${String(from)},0)'`, ...(i < count - 1 ? [`ctid < '(${String(to)},0)'`] : [])];
    return {
      ...unit,
      sql: `COPY (SELECT ${columns} FROM ONLY ${table.sqlName} WHERE ${conditions.join(' AND ')}) TO STDOUT WITH ${form}`,
      weight: table.totalBytes / count,
    };
  });
}
