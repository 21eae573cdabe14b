import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { isExecutable, REPOSITORY, run } from './command.mjs';
import { SetupError } from './report.mjs';

// `engines` in package.json says what the program needs; this is what these scripts need to get there.
const SCRIPTS_NEED = 20;
const PROGRAM_NEEDS = [22, 22];

const PINNED = join(REPOSITORY, 'node_modules', 'node', 'bin', 'node');

export function requireNode() {
  if (Number(process.versions.node.split('.')[0]) >= SCRIPTS_NEED) return;
  throw new SetupError(
    `this is Node ${process.versions.node}, which is too old to install the project`,
    `Install Node ${SCRIPTS_NEED} or newer and run the command again. The project then installs the Node that it runs on.`,
  );
}

function isNewEnough(version) {
  const [major, minor] = version.replace(/^v/, '').split('.').map(Number);
  return major > PROGRAM_NEEDS[0] || (major === PROGRAM_NEEDS[0] && minor >= PROGRAM_NEEDS[1]);
}

function pinnedRuns() {
  if (!isExecutable(PINNED)) return false;
  const { ok, output } = run(PINNED, ['--version'], { env: { NODE_OPTIONS: '' } });
  return ok && isNewEnough(output);
}

/**
 * The Node that everything runs on: the one that the project pins (the `node` package), otherwise the one that runs this,
 * if it is new enough (the package has no build for Alpine, for example). Throws when there is neither.
 */
export function projectNode() {
  if (process.execPath === PINNED || pinnedRuns()) return PINNED;
  // npm may be told not to run install scripts; the `node` package fetches its program in one.
  run(process.execPath, ['installArchSpecificPackage.js'], { cwd: dirname(dirname(PINNED)) });
  if (pinnedRuns()) return PINNED;
  if (isNewEnough(process.versions.node)) return process.execPath;
  throw new SetupError(
    `the Node that the project pins could not be installed, and this one, ${process.versions.node}, is older than ${PROGRAM_NEEDS.join('.')}`,
    'Install Node 24, or let npm run the install script of the package `node`: npm rebuild node --ignore-scripts=false',
  );
}

/** Runs a script of the project to its end, hands signals on, and ends as it ended. */
export function runScript(script, args) {
  const child = spawn(projectNode(), [join(REPOSITORY, script), ...args], { stdio: 'inherit' });
  // A terminal sends its interrupt to the whole group: the child has it already, and decides.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    throw error;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15);
  });
}
