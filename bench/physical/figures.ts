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

/** `pgbench -c 8` with one way to stream WAL, or with none. */
export interface LoadFigure {
  readonly name: string;
  /** Transactions a second of each round. */
  readonly rounds: readonly number[];
  /** Their median over that without a stream, where that was measured. */
  readonly ratio?: number;
  /** Processor time of the server for a transaction; steadier than their number where the machine has other work. */
  readonly serverMicroseconds: number;
  readonly walBytesASecond: number;
  /** The same of the receiver, or of the daemon and its receiver; the rest is of these as well. */
  readonly receiverMicroseconds?: number;
  /** The most WAL that was not received. */
  readonly segmentsBehind?: number;
  /** The most finished segments that waited for a target. */
  readonly segmentsWaiting?: number;
  /** Seconds between now and the newest instant that could be recovered. */
  readonly onDisk?: Spread;
  readonly offSite?: Spread;
  readonly bytes?: number;
}

export interface Spread {
  readonly median: number;
  readonly highest: number;
}

export interface LoadFigures {
  /** Of each round. */
  readonly seconds: number;
  readonly ways: readonly LoadFigure[];
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
