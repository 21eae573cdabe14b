import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { BackupError } from '../errors.ts';

const CLIENT_PROGRAMS = ['pg_dump', 'pg_restore', 'pg_dumpall', 'psql'] as const;
const SERVER_PROGRAMS = ['initdb', 'pg_ctl', 'postgres'] as const;
/** Asked for only where WAL and physical backups are at work; some packages have them apart. */
const PHYSICAL_PROGRAMS = ['pg_receivewal', 'pg_verifybackup', 'pg_waldump', 'pg_checksums', 'pg_combinebackup'] as const;

export type ProgramName = (typeof CLIENT_PROGRAMS | typeof SERVER_PROGRAMS | typeof PHYSICAL_PROGRAMS)[number];

/** One installation of PostgreSQL's programs. */
export interface ClientPrograms {
  readonly major: number;
  readonly directory: string;
  /** As the programs print it: `15.14 (Debian 15.14-0+deb12u1)`. */
  readonly version: string;
  /** The full path of a program; throws CLIENT_PROGRAM_MISSING when this installation lacks it. */
  path(name: ProgramName): string;
}

export interface FindProgramsOptions {
  /** The major version of the server that they are to work with. */
  readonly serverMajor: number;
  /** Folders to look in before the usual places. */
  readonly directories?: readonly string[];
  /** The value of PATH; not searched when absent. */
  readonly searchPath?: string;
  /** Whether initdb, pg_ctl and postgres are needed as well, and then of exactly the server's version. */
  readonly server?: boolean;
}

/**
 * Finds the client programs for a server: `pg_dump` refuses a server newer than itself, so the lowest major version that
 * is not older than the server's wins; among equals the configured folders, then Debian's, then PATH.
 */
export async function findPrograms(options: FindProgramsOptions): Promise<ClientPrograms> {
  const wanted = options.server === true ? [...CLIENT_PROGRAMS, ...SERVER_PROGRAMS] : CLIENT_PROGRAMS;
  const found = await Promise.all((await candidateDirectories(options)).map(inspect));
  let best: ClientPrograms | undefined;
  for (const installation of found) {
    if (installation === undefined || !wanted.every((name) => installation.has(name))) continue;
    const { programs } = installation;
    if (programs.major < options.serverMajor || (options.server === true && programs.major !== options.serverMajor)) continue;
    if (best === undefined || programs.major < best.major) best = programs;
  }
  if (best !== undefined) return best;

  const versions = found.flatMap((installation) => (installation === undefined ? [] : [installation.programs]));
  const have = versions.map(({ major, directory }) => `${major} in ${directory}`).join(', ');
  const role = options.server === true ? 'server' : 'client';
  throw new BackupError(
    'CLIENT_PROGRAM_MISSING',
    `no PostgreSQL ${role} programs of version ${options.serverMajor}${options.server === true ? '' : ' or later'} found` +
      (have === '' ? '' : ` (there are: ${have})`),
    { hint: packageHint(options.serverMajor, options.server === true) },
  );
}

interface Installation {
  readonly programs: ClientPrograms;
  has(name: ProgramName): boolean;
}

async function candidateDirectories({ directories = [], searchPath = '' }: FindProgramsOptions): Promise<string[]> {
  const debian = await readdir('/usr/lib/postgresql').catch(() => []);
  return [
    ...new Set([
      ...directories,
      ...debian.map((version) => join('/usr/lib/postgresql', version, 'bin')),
      ...searchPath.split(':').filter((directory) => directory.startsWith('/')),
    ]),
  ];
}

/** What a folder holds, or undefined when it has no `pg_dump` that says its version. */
async function inspect(directory: string): Promise<Installation | undefined> {
  const pgDump = join(directory, 'pg_dump');
  if (!(await isExecutable(pgDump))) return undefined;
  // Debian's /usr/bin/pg_dump is a script that picks a version by rules of its own.
  if ((await realpath(pgDump)).endsWith('pg_wrapper')) return undefined;
  const version = await readVersion(pgDump);
  if (version === undefined) return undefined;

  const names = [...CLIENT_PROGRAMS, ...SERVER_PROGRAMS, ...PHYSICAL_PROGRAMS];
  const present = new Set<ProgramName>();
  for (const name of names) if (await isExecutable(join(directory, name))) present.add(name);
  const major = Number.parseInt(version, 10);
  return {
    has: (name) => present.has(name),
    programs: {
      major,
      directory,
      version,
      path(name) {
        if (present.has(name)) return join(directory, name);
        const server = (SERVER_PROGRAMS as readonly string[]).includes(name);
        throw new BackupError('CLIENT_PROGRAM_MISSING', `${name} is not in ${directory}`, { hint: packageHint(major, server) });
      },
    },
  };
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** `pg_dump (PostgreSQL) 15.14 (Debian …)` → `15.14 (Debian …)`; pre-releases are `19beta1`. */
async function readVersion(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(program, ['--version'], { env: {}, timeout: 10_000 });
    return /\(PostgreSQL\) (\d\S*(?: \(.*\))?)/.exec(stdout)?.[1];
  } catch {
    // A program that cannot even say its version (wrong architecture, missing library) is not one we can use.
    return undefined;
  }
}

function packageHint(major: number, server: boolean): string {
  const name = server ? `postgresql-${major}` : `postgresql-client-${major}`;
  return `Install the package ${name} (apt-get install ${name}; elsewhere the PostgreSQL ${major} ${server ? 'server' : 'client'} programs), or name their folder in BACKUP_PROGRAM_DIRECTORIES.`;
}
