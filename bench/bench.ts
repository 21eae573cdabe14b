// `npm run bench`: the same work by us and by the tools that a user would pick instead (docs/benchmarks/README.md).
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { systemClock } from '../src/clock.ts';
import { processEnvironment } from '../src/config.ts';
import { findServerPrograms } from '../scripts/demo/server-programs.ts';
import { DATA_SETS } from './data/data-sets.ts';
import { describeMachine, findOnPath, readCommit, readCommitted, readVersions } from './machine.ts';
import { HELP, readOptions, type BenchOptions } from './options.ts';
import { compare, comparisonLines } from './result/check.ts';
import { README, readResult, resultFile, RESULTS_FOLDER, withBenchmarks, writeResult } from './result/documents.ts';
import { resultPage } from './result/markdown.ts';
import { merge } from './result/merge.ts';
import type { BenchResult } from './result/result.ts';
import { measureData } from './run/measure-data.ts';
import { buildProgram } from './run/program.ts';
import { startSource } from './run/source.ts';

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (interrupt.signal.aborted) process.exit(130);
    interrupt.abort(new Error(`stopped by ${name}`));
  });
}

try {
  const args = process.argv.slice(2);
  const options = readOptions(args);
  if (options) await bench(options, ['npm run bench --', ...args].join(' '), interrupt.signal);
  else process.stdout.write(HELP);
} catch (error) {
  say(`bench: ${(error as Error).message}`);
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}

async function bench(options: BenchOptions, command: string, signal: AbortSignal): Promise<void> {
  // What is known before the long part.
  const committed = await readCommitted(`docs/benchmarks/${resultFile(options.gb)}`);
  if (options.check && committed === undefined) {
    throw new Error(
      `no results of ${options.gb} GB are committed (docs/benchmarks/${resultFile(options.gb)}): nothing to compare with`,
    );
  }
  const result = await measureAll(options, command, signal);
  process.stdout.write(resultPage(result, `${options.gb} GB`));
  if (options.out !== undefined) {
    const written = await writeResult(options.out, merge(await readResult(options.out, options.gb), result, options.add));
    say(`written: ${written.join(', ')}`);
    if (options.out === RESULTS_FOLDER) await updateReadme();
  }
  if (committed === undefined) return;
  const comparison = compare(JSON.parse(committed) as BenchResult, result);
  for (const line of comparisonLines(comparison)) say(line);
  if (options.check && (comparison.falls.length > 0 || comparison.compared === 0)) process.exitCode = 1;
}

async function measureAll(options: BenchOptions, command: string, signal: AbortSignal): Promise<BenchResult> {
  const searchPath = processEnvironment()['PATH'] ?? '';
  const programs = await findServerPrograms(searchPath);
  const find = findOnPath(searchPath);
  const { versions, missing } = await readVersions(programs, find);
  for (const line of missing) say(`left out: ${line}`);
  const folder = await mkdtemp(join(options.folder, 'db-backup-bench-'));
  try {
    say('building the program …');
    const program = await buildProgram(folder);
    const source = await startSource(programs, options.folder, signal);
    try {
      const { rounds, works, tools, gb, seed, workers, orientationRounds } = options;
      const run = { date: systemClock.now().toISOString().slice(0, 10), command, commit: await readCommit() };
      const data = [];
      for (const set of DATA_SETS.filter(({ name }) => options.data.includes(name))) {
        const shop = { source, program, workers, folder, orientationRounds, find };
        const measured = await measureData(set, shop, { ...run, rounds, works, tools, gb, seed }, { signal, say });
        missing.push(...measured.missing);
        data.push(measured.data);
      }
      const kept = { gb, workers, seed };
      return { formatVersion: 1, options: kept, machine: describeMachine(), versions, missing: [...new Set(missing)], data };
    } finally {
      await source.server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function updateReadme(): Promise<void> {
  await writeFile(README, withBenchmarks(await readFile(README, 'utf8'), await readResult(RESULTS_FOLDER, 1)));
  say(`written: ${README}`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
