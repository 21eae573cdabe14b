import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Run, ToolResult } from '../result/result.ts';
import type { Tool } from '../tools/tool.ts';
import { measure } from './measure.ts';
import { runProgram } from '../../src/postgres/run-program.ts';

export interface TurnOptions {
  readonly rounds: number;
  readonly postmaster: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface Turns {
  readonly results: readonly ToolResult[];
  /** Tools for orientation that did not work here, and why. */
  readonly missing: readonly string[];
}

/** Every tool once in each round, one after another, so that what slows the machine for a while slows them all. */
export async function inTurn(tools: readonly Tool[], options: TurnOptions): Promise<Turns> {
  const { rounds, postmaster, signal, say } = options;
  const runs = new Map<Tool, Run[]>(tools.map((tool) => [tool, []]));
  const missing: string[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const tool of tools) {
      const found = runs.get(tool);
      if (!found || round > (tool.rounds ?? rounds)) continue;
      try {
        await tool.before();
        // What the tool before it left for the disk to write is not this one's business.
        await runProgram('/usr/bin/sync', []);
        const measured = await measure(tool.command, postmaster, signal);
        const run = { ...rounded(measured), bytes: await tool.bytes() };
        found.push(run);
        say(`round ${round}: ${tool.name}: ${run.seconds.toFixed(2)} s`);
      } catch (error) {
        if (tool.kind !== 'physical' || signal.aborted) throw error;
        runs.delete(tool);
        const [why] = (error as Error).message
          .split('\n')
          .slice(1)
          .concat((error as Error).message);
        missing.push(`${tool.name} (${why!.trim()})`);
        say(`${tool.name} is left out: ${(error as Error).message}`);
      } finally {
        await tool.after();
      }
    }
  }
  const results = [...runs].flatMap(([{ id, name, kind }, found]): ToolResult[] =>
    found.length === 0 ? [] : [{ id, name, kind, runs: found }],
  );
  return { results, missing };
}

/** Digits behind these say nothing. */
function rounded(run: Omit<Run, 'bytes'>): Omit<Run, 'bytes'> {
  const digits = (value: number): number => Math.round(value * 1000) / 1000;
  return { ...run, seconds: digits(run.seconds), clientCpu: digits(run.clientCpu), serverCpu: digits(run.serverCpu) };
}

export async function bytesUnder(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
