/** SQL that makes a data set; statements of `rows` and of `indexes` may run side by side. */
export interface Statements {
  readonly schema: readonly string[];
  readonly rows: readonly string[];
  readonly indexes: readonly string[];
}

export interface DataSet {
  readonly name: string;
  /** One sentence for those who read the results. */
  readonly about: string;
  /** The same rows each time for the same size and seed. */
  readonly make: (gb: number, seed: number) => Statements;
}

/** Rows `1…count` of a table by a query over `i`, in two statements, so that two sessions can work on them. */
export function insertRows(table: string, count: number, query: string): string[] {
  const half = Math.ceil(count / 2);
  return [
    [1, half],
    [half + 1, count],
  ].map(([from, to]) => `INSERT INTO ${table} ${query} FROM generate_series(${from!}::bigint, ${to!}) i`);
}

/** How many rows of a table are wanted, at least a few. */
export function scaled(rowsPerGb: number, gb: number): number {
  return Math.max(10, Math.round(rowsPerGb * gb));
}
