import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

export interface InstalledVersion {
  readonly major: number;
  /** Folder with `postgres`, `initdb`, `pg_dump`, … of this version. */
  readonly binDirectory: string;
}

const CACHE = join(import.meta.dirname, '../../.cache/postgresql');
const SYSTEM = '/usr/lib/postgresql';

/** Every PostgreSQL server with its client programs on this machine: the tests' own first, then the system's; one per major version. */
export function installedVersions(): InstalledVersion[] {
  const found = new Map<number, InstalledVersion>();
  for (const [root, inside] of [[CACHE, 'usr/lib/postgresql'] as const, [SYSTEM, undefined] as const]) {
    for (const name of existsSync(root) ? readdirSync(root) : []) {
      const major = Number(name);
      if (!Number.isInteger(major) || found.has(major)) continue;
      const binDirectory = inside === undefined ? join(root, name, 'bin') : join(root, name, inside, name, 'bin');
      // A version in the cache stops running when the repository is moved, so ask the program itself.
      if (spawnSync(join(binDirectory, 'postgres'), ['--version']).status !== 0) continue;
      found.set(major, { major, binDirectory: realpathSync(binDirectory) });
    }
  }
  return [...found.values()].sort((a, b) => a.major - b.major);
}

/** One installed version; throws with the command that installs it. */
export function installedVersion(major: number): InstalledVersion {
  const version = installedVersions().find((candidate) => candidate.major === major);
  if (version === undefined) {
    throw new Error(`PostgreSQL ${major} is not installed here: run test/support/postgres-versions.sh install ${major}`);
  }
  return version;
}
