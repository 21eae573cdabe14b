import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { ClientPrograms } from '../src/postgres/programs.ts';
import type { Machine } from './result/result.ts';

const REPOSITORY = fileURLToPath(new URL('..', import.meta.url));

/** Tools that are not PostgreSQL's, and how each says its version. */
const PEERS = { gzip: '--version', zstd: '--version', pigz: '--version', pgbackrest: 'version' } as const;

export function describeMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, memoryBytes: totalmem(), kernel: release() };
}

/** The full path of a program on PATH. */
export function findOnPath(searchPath: string): (program: string) => string | undefined {
  return (program) =>
    searchPath
      .split(delimiter)
      .filter((folder) => folder.startsWith('/'))
      .map((folder) => join(folder, program))
      .find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Versions of everything that takes part, and which of the peers are not installed. */
export async function readVersions(
  programs: ClientPrograms,
  find: (program: string) => string | undefined,
): Promise<{ versions: Record<string, string>; missing: string[] }> {
  const versions: Record<string, string> = { PostgreSQL: programs.version, Node: process.versions.node };
  const missing: string[] = [];
  for (const [name, argument] of Object.entries(PEERS)) {
    const path = find(name);
    if (path === undefined) {
      missing.push(`${name} (not installed; \`npm run bench -- --install\` does it)`);
      continue;
    }
    // pigz writes its version to standard error.
    const { stdout, stderr } = await promisify(execFile)(path, [argument]);
    versions[name] = /\d+(\.\d+)+/.exec(stdout + stderr)?.[0] ?? 'unknown';
  }
  return { versions, missing };
}

/** The commit that is checked out; with a mark when files differ from it. */
export async function readCommit(): Promise<string> {
  try {
    const commit = await git('describe', '--always', '--abbrev=10');
    return (await git('status', '--porcelain', '--', '.', ...WRITTEN)) === '' ? commit : `${commit}-dirty`;
  } catch {
    return 'unknown';
  }
}

/** What a run itself writes: the next piece of it is still of the same commit. */
const WRITTEN = [':!docs/benchmarks', ':!README.md'];

async function git(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, { cwd: REPOSITORY });
  return stdout.trim();
}

/** A file as the last commit has it, or undefined if it has none or there is no git. */
export async function readCommitted(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', ['show', `HEAD:${path}`], { cwd: REPOSITORY, maxBuffer: 2 ** 26 });
    return stdout;
  } catch {
    return undefined;
  }
}
