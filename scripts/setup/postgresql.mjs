import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { isExecutable, which } from './command.mjs';
import { say, SetupError } from './report.mjs';
import { installSystemPackages } from './system-packages.mjs';

const PROGRAMS = ['postgres', 'initdb', 'pg_ctl', 'psql', 'pg_dump', 'pg_restore', 'pg_dumpall'];

// With these, tests play a user who has nothing of ours, and make certificates. Packages have the same names.
const TEST_PROGRAMS = ['zstd', 'openssl'];

const OTHERS = {
  dnf: 'install postgresql-server postgresql-contrib zstd openssl',
  apk: 'add postgresql postgresql-client postgresql-contrib zstd openssl',
  zypper: 'install postgresql-server postgresql-contrib zstd openssl',
  pacman: '-S postgresql zstd openssl',
  brew: 'install postgresql@18 zstd openssl',
};

function foldersUnder(parent, pattern) {
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => pattern.test(name))
    .map((name) => join(parent, name, 'bin'));
}

function isInstalled() {
  return [
    ...foldersUnder('/usr/lib/postgresql', /^\d+$/),
    ...foldersUnder('/usr', /^pgsql-\d+$/),
    ...foldersUnder('/opt/homebrew/opt', /^postgresql(@\d+)?$/),
    ...foldersUnder('/usr/local/opt', /^postgresql(@\d+)?$/),
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
  ].some((folder) => PROGRAMS.every((program) => isExecutable(join(folder, program))));
}

/** PostgreSQL's server and client programs (any version) and, for tests, a few programs more. */
export function installPostgresql({ forTests }) {
  const packages = [];
  if (!isInstalled()) packages.push('postgresql');
  if (forTests) packages.push(...TEST_PROGRAMS.filter((program) => !which(program)));
  if (packages.length === 0) return;
  say(`installing ${packages.join(' and ')} through the system's package manager (no server is started) …`);
  installSystemPackages(packages, OTHERS);
  if (isInstalled()) return;
  throw new SetupError(
    'PostgreSQL was installed, but its programs are not where they are looked for',
    `Looked for: ${PROGRAMS.join(', ')}, in /usr/lib/postgresql/*/bin and on PATH.`,
  );
}
