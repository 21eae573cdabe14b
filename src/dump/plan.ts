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
/** The last ranges are cut in so many, that no worker is long at its last one while the others have none. */
const LAST_CUTS = 4;
/** Units below this go to a worker several at a time, in one query. */
const SMALL = 1024 * 1024;
const BATCH_UNITS = 64;

/** A table, or a range of its pages, that one COPY reads. */
interface Part {
  readonly table: number;
  /** Absent for a whole table. `to` is absent for the last range of a table. */
  readonly pages?: { readonly from: number; readonly to?: number };
  /** Pages of the range; 0 for a whole table. */
  readonly count: number;
  readonly weight: number;
}

/**
 * Splits the work into batches, large ones first, so that the workers end together. A unit is a table or, of a large one, a
 * range of its pages; a batch is one large unit or several small ones.
 */
export function planCopies(tables: readonly SourceTable[], options: PlanOptions): CopyUnit[][] {
  const total = tables.reduce((sum, table) => sum + table.totalBytes, 0);
  const target = Math.max(MIN_RANGE_BYTES, total / (options.workers * RANGES_A_WORKER));
  const parts = tables
    .flatMap((table, index) => partsOf(table, index, target, options))
    .sort((a, b) => b.weight - a.weight || a.table - b.table);
  const unit = (part: Part): CopyUnit => unitOf(tables[part.table]!, part, options);
  const large = alternate(
    parts.filter((part) => part.weight >= SMALL),
    options.workers,
  );
  const batches: CopyUnit[][] = cutLast(large, options.workers).map((part) => [unit(part)]);
  let small: CopyUnit[] = [];
  let smallBytes = 0;
  for (const part of parts.filter((each) => each.weight < SMALL)) {
    small.push(unit(part));
    smallBytes += part.weight;
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
 * Orders large parts so that neighbours are of different tables where that can be had, the table with the most left first.
 * A restore loads the chunks in about this order, and two sessions that extend one table wait for each other.
 */
function alternate(parts: readonly Part[], workers: number): Part[] {
  const left = new Map<number, { weight: number; parts: Part[] }>();
  for (const part of parts) {
    const table = left.get(part.table) ?? { weight: 0, parts: [] };
    table.weight += part.weight;
    table.parts.push(part);
    left.set(part.table, table);
  }
  const ordered: Part[] = [];
  while (left.size > 0) {
    const recent = ordered.slice(Math.max(0, ordered.length - workers + 1)).map((part) => part.table);
    const tables = [...left].sort(([, a], [, b]) => b.weight - a.weight);
    const [table, rest] = tables.find(([candidate]) => !recent.includes(candidate)) ?? tables[0]!;
    const part = rest.parts.shift()!;
    rest.weight -= part.weight;
    if (rest.parts.length === 0) left.delete(table);
    ordered.push(part);
  }
  return ordered;
}

/** Cuts the last ranges smaller, so that no worker is long at its last one while the others have nothing left to do. */
function cutLast(ordered: readonly Part[], workers: number): Part[] {
  const first = Math.max(0, ordered.length - 2 * workers);
  const last = ordered.slice(first).flatMap((part) => (part.pages === undefined ? [part] : cut(part, LAST_CUTS)));
  return [...ordered.slice(0, first), ...alternate(last, workers)];
}

function cut({ table, pages = { from: 0 }, count, weight }: Part, into: number): Part[] {
  const ranges = Math.min(into, count);
  return Array.from({ length: ranges }, (_, i) => {
    const from = pages.from + Math.floor((count * i) / ranges);
    const to = pages.from + Math.floor((count * (i + 1)) / ranges);
    const open = i === ranges - 1 && pages.to === undefined;
    return { table, pages: open ? { from } : { from, to }, count: to - from, weight: weight / ranges };
  });
}

function partsOf(table: SourceTable, index: number, target: number, options: PlanOptions): Part[] {
  // Without a page no row can be visible: the file was found to be the one that the snapshot sees.
  if (table.heap && table.heapBytes === 0) return [];
  const count = Math.ceil(table.heapBytes / PAGE);
  const ranges = Math.min(Math.floor(table.totalBytes / target), count);
  if (ranges < 2 || !table.heap || options.serverVersion < TID_RANGE_SCAN) {
    return [{ table: index, count: 0, weight: table.totalBytes }];
  }
  // The last range is open: pages that were added since belong to it, should the snapshot see any of their rows.
  return cut({ table: index, count, weight: table.totalBytes }, ranges);
}

function unitOf(table: SourceTable, { table: index, pages, weight }: Part, options: PlanOptions): CopyUnit {
  const form = `(FORMAT text, ENCODING '${options.encoding}')`;
  const { sqlName, header } = table;
  const alone = weight >= SMALL || pages !== undefined;
  const unit = { table: index, label: sqlName, lockName: `ONLY ${sqlName}`, header, weight, alone };
  if (pages === undefined) return { ...unit, sql: `COPY ${table.sqlName} ${table.sqlColumns} TO STDOUT WITH ${form}` };
  const columns = table.sqlColumns.slice(1, -1);
  const conditions = [
    `ctid >= '(${String(pages.from)},0)'`,
    ...(pages.to === undefined ? [] : [`ctid < '(${String(pages.to)},0)'`]),
  ];
  return {
    ...unit,
    sql: `COPY (SELECT ${columns} FROM ONLY ${table.sqlName} WHERE ${conditions.join(' AND ')}) TO STDOUT WITH ${form}`,
  };
}
