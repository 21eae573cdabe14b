/** What one way of doing a work took. */
export interface Figure {
  readonly name: string;
  /** Median of the rounds. */
  readonly seconds: number;
  readonly rounds: readonly number[];
  readonly bytes?: number;
  /** The highest of the rounds: of all processes together. Absent where the server is one of them. */
  readonly treeBytes?: number;
}

export interface LoadFigures {
  readonly seconds: number;
  /** Transactions a second of each round. */
  readonly without: readonly number[];
  readonly withUs: readonly number[];
  readonly ratio: number;
  /** With PostgreSQL's own receiver alone, which keeps what it receives on the same disk: nobody who streams can do with less. */
  readonly bare: readonly number[];
  readonly bareRatio: number;
  /** The most that was seen. */
  readonly segmentsBehind: number;
  /** Seconds between now and the newest instant that could be recovered, from the disk. */
  readonly recoveryPoint: { readonly median: number; readonly highest: number };
  /** The same from the bucket, where there was one. */
  readonly offSite?: { readonly median: number; readonly highest: number };
  readonly daemonBytes: number;
}

export interface PhysicalFigures {
  readonly date: string;
  readonly commit: string;
  readonly gb: number;
  readonly baseRawBytes?: number;
  readonly walBytes?: number;
  readonly base?: readonly Figure[];
  readonly recovery?: readonly Figure[];
  readonly load?: LoadFigures;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
