/** What one run of the bench found out, as it is stored in docs/benchmarks. Everything else is computed from it. */
export interface BenchResult {
  readonly formatVersion: 1;
  readonly options: { readonly gb: number; readonly workers: number; readonly seed: number };
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  /** What could not take part, and why. */
  readonly missing: readonly string[];
  readonly data: readonly DataResult[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
}

export interface DataResult {
  readonly name: string;
  readonly about: string;
  readonly tables: number;
  readonly rows: number;
  /** Bytes of the script that `pg_dump` writes. */
  readonly scriptBytes: number;
  readonly works: readonly WorkResult[];
}

export type Work = 'dump' | 'restore' | 'verify';

/** Tools that took turns at one work: only these may be compared with one another. */
export interface WorkResult {
  readonly work: Work;
  readonly date: string;
  readonly command: string;
  /** The commit that was measured. */
  readonly commit: string;
  /** How many runs of the bench its rounds come from, when not from one. */
  readonly pieces?: number;
  readonly tools: readonly ToolResult[];
}

/** `limit`: no backup, but as fast as one could be. `physical`: another kind of backup, for orientation. */
export type ToolKind = 'ours' | 'peer' | 'limit' | 'physical';

export interface ToolResult {
  readonly id: string;
  readonly name: string;
  readonly kind: ToolKind;
  readonly runs: readonly Run[];
}

/** One whole process (or pipeline), measured from outside. */
export interface Run {
  readonly seconds: number;
  /** CPU seconds of the client: the process and all that it started. */
  readonly clientCpu: number;
  /** CPU seconds of all processes of PostgreSQL's server. */
  readonly serverCpu: number;
  /** Highest resident set (RSS) that one process of the client had. */
  readonly processBytes: number;
  /** Highest sum of proportional set sizes (PSS) of all processes of the client: shared pages count once. */
  readonly treeBytes: number;
  /** A dump's files, or the restored database. */
  readonly bytes: number;
}

/** The first of a work's tools by id, if it took part. */
export function findTool(result: BenchResult | undefined, data: string, work: Work, id: string): ToolResult | undefined {
  return findWork(result, data, work)?.tools.find((tool) => tool.id === id);
}

export function findWork(result: BenchResult | undefined, data: string, work: Work): WorkResult | undefined {
  return result?.data.find(({ name }) => name === data)?.works.find((each) => each.work === work);
}
