import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, REPOSITORY, run, runBeside, which } from './command.mjs';
import { say, SetupError } from './report.mjs';
import { installSystemPackages } from './system-packages.mjs';

const VERSIONS = join(REPOSITORY, 'test/support/postgres-versions.sh');
const ENGINE = join(REPOSITORY, 'test/support/docker-engine.sh');
const S3 = join(REPOSITORY, 'test/support/s3-server.sh');

async function script(file, ...args) {
  const { ok, output } = await runBeside('bash', [file, ...args]);
  if (!ok) throw new SetupError(`${file} ${args.join(' ')} failed`, lastLines(output, 10));
  return output;
}

/** What tests or the demo can do without. `lines` of `list` is how many versions the tests ask for. */
export const POSTGRESQL_VERSIONS = {
  what: 'PostgreSQL 13, 15, 17 and 18 under .cache/ (a minute, 500 MB, once)',
  isThere: () => run('bash', [VERSIONS, 'list']).output.split('\n').length >= 4,
  install: () => script(VERSIONS, 'install'),
};

export const S3_SERVER = {
  what: 'a real S3 server under .cache/ (a minute, 600 MB, once)',
  isThere: () => run('bash', [S3, 'check']).ok,
  install: async () => {
    await script(S3, 'install');
    await script(S3, 'check');
  },
};

export const DOCKER_ENGINE = {
  what: 'a Docker engine under .cache/ (15 s, 320 MB, once; its images take two minutes and some gigabytes more)',
  isThere: () => (run('docker', ['version']).ok && run('docker', ['compose', 'version']).ok) || run('bash', [ENGINE, 'check']).ok,
  install: async () => {
    await script(ENGINE, 'install');
    await script(ENGINE, 'check');
  },
};

export const POOLER = {
  what: 'pgbouncer (not started)',
  isThere: () => existsSync('/usr/sbin/pgbouncer'),
  install: () => installSystemPackages(['pgbouncer']),
};

export const SHELLCHECK = {
  what: 'shellcheck',
  isThere: () => which('shellcheck') !== undefined,
  install: () => installSystemPackages(['shellcheck']),
};

/** What the bench compares with, beside PostgreSQL's own programs. Packages have the same names. */
export const PEERS = ['gzip', 'zstd', 'pigz', 'pgbackrest'].map((name) => ({
  what: name,
  isThere: () => which(name) !== undefined,
  install: () => installSystemPackages([name]),
}));

/** Installs an extra if it is not there. `without`: what happens when it cannot be had; left out, that is a failure. */
export async function installExtra({ what, isThere, install }, { without }) {
  if (isThere()) return;
  say(`installing ${what} …`);
  try {
    await install();
  } catch (error) {
    if (!(error instanceof SetupError) || without === undefined) throw error;
    say(`that could not be done, so ${without}: ${error.message}; ${lastLines(error.hint, 1)}`);
  }
}
