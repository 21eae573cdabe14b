import type { BenchResult, Run, ToolKind, ToolResult, Work, WorkResult } from '../../bench/result/result.ts';

/** A tool whose runs took so many seconds and wrote so many bytes. */
export function toolResult(id: string, kind: ToolKind, seconds: readonly number[], rest: Partial<Run> = {}): ToolResult {
  const run = { clientCpu: 1, serverCpu: 0.5, processBytes: 90e6, treeBytes: 120e6, bytes: 200e6, ...rest };
  return { id, name: `the ${id}`, kind, runs: seconds.map((each) => ({ ...run, seconds: each })) };
}

export function workResult(work: Work, ...tools: ToolResult[]): WorkResult {
  return { work, date: '2026-01-02', command: 'npm run bench --', commit: 'abc', tools };
}

export function benchResult(gb: number, works: readonly WorkResult[], data = 'mixed'): BenchResult {
  return {
    formatVersion: 1,
    options: { gb, workers: 2, seed: 1 },
    machine: { cpu: 'Abacus', cores: 2, memoryBytes: 8e9, kernel: '6.1' },
    versions: { PostgreSQL: '15.1 (Debian)', gzip: '1.12' },
    missing: [],
    data: [{ name: data, about: 'Rows.', tables: 4, rows: 1234, scriptBytes: 1e9, works }],
  };
}
