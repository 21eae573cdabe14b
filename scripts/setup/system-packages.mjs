import { existsSync } from 'node:fs';
import { lastLines, run, which } from './command.mjs';
import { SetupError } from './report.mjs';

// Debian's packages make and start a server of their own unless these files say no. Both are put back afterwards;
// servers that exist already are not touched.
const CLUSTER_SETTINGS = '/etc/postgresql-common/createcluster.conf';
const START_POLICY = '/usr/sbin/policy-rc.d';

const OTHER_MANAGERS = ['dnf', 'apk', 'zypper', 'pacman', 'brew'];

/** The words before a command that needs root: none, or `sudo`. */
function asRoot() {
  if (process.getuid?.() === 0) return [];
  return which('sudo') && run('sudo', ['-n', 'true']).ok ? ['sudo', '-n'] : undefined;
}

/** Why packages cannot be installed from here, or `undefined` if they can. */
function obstacle() {
  if (!which('apt-get')) return 'this script knows only apt-get';
  if (!asRoot()) return 'that needs root, or sudo without a password';
  return undefined;
}

function asRootRun(file, ...args) {
  const [first, ...rest] = [...asRoot(), file, ...args];
  return run(first, rest);
}

function apt(...args) {
  const { ok, output } = asRootRun('env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-y', '-qq', ...args);
  if (!ok) throw new SetupError(`'apt-get ${args.join(' ')}' failed`, lastLines(output, 10));
}

function shell(script, ...args) {
  const { ok, output } = asRootRun('sh', '-ec', script, 'sh', ...args);
  if (!ok) throw new SetupError('a file of the system could not be changed', output);
}

/** Runs `install` while packages are kept from starting servers. */
function withoutServers(install) {
  const undo = [];
  try {
    if (!existsSync(START_POLICY)) {
      shell(`printf '#!/bin/sh\\nexit 101\\n' > "$1"; chmod 755 "$1"`, START_POLICY);
      undo.push(() => shell('rm -f "$1"', START_POLICY));
    }
    apt('install', '--no-install-recommends', 'postgresql-common');
    shell('cp -p "$1" "$1.before-setup"; printf "create_main_cluster = false\\n" >> "$1"', CLUSTER_SETTINGS);
    undo.push(() => shell('mv "$1.before-setup" "$1"', CLUSTER_SETTINGS));
    install();
  } finally {
    for (const step of undo.reverse()) step();
  }
}

/**
 * Installs Debian packages. `others` names the same for the package managers that a person has to run.
 * Throws a `SetupError` that says what to do when it cannot.
 */
export function installSystemPackages(packages, others = {}) {
  const reason = obstacle();
  if (reason !== undefined) {
    const manager = OTHER_MANAGERS.find((name) => which(name));
    const command =
      manager === undefined
        ? `apt-get install ${packages.join(' ')}`
        : `${manager} ${others[manager] ?? `install ${packages.join(' ')}`}`;
    throw new SetupError(
      `this machine lacks ${packages.join(' and ')}: ${reason}`,
      `Run this yourself, then the command again:  ${command}`,
    );
  }
  apt('update');
  withoutServers(() => apt('install', '--no-install-recommends', ...packages));
}
