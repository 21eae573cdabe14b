import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, REPOSITORY, run } from './command.mjs';
import { projectNode } from './node.mjs';
import { say, SetupError } from './report.mjs';

function readLock(path) {
  return JSON.parse(readFileSync(join(REPOSITORY, path), 'utf8')).packages;
}

/** Whether node_modules holds what package-lock.json asks for, going by the list that npm leaves there. */
function areCurrent() {
  if (!existsSync(join(REPOSITORY, 'node_modules', '.package-lock.json'))) return false;
  const wanted = readLock('package-lock.json');
  const installed = readLock('node_modules/.package-lock.json');
  return Object.entries(wanted).every(
    ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
  );
}

function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? run(process.execPath, [cli, ...args]) : run('npm', args);
}

export function installPackages() {
  if (!areCurrent()) {
    say('installing the npm packages (about half a minute) …');
    let result = npm('ci', '--no-audit', '--no-fund');
    // A mirror that lacks the packages of other platforms makes `npm ci` reject a lock that is right.
    if (!result.ok) result = npm('install', '--no-save', '--no-audit', '--no-fund');
    if (!result.ok) {
      throw new SetupError(
        'the npm packages could not be installed',
        `npm said:\n${lastLines(result.output, 15)}\nRun 'npm ci' by hand to see all of it.`,
      );
    }
  }
  projectNode();
}
