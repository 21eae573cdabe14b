import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Compiled code, and TypeScript without its types, from one start of Node to the next. */
const NODE_COMPILE_CACHE = `${REPOSITORY}node_modules/.cache/db-backup-node`;

/**
 * Runs a JavaScript program of node_modules on this Node. `onLine` sees each line of its stderr as it comes.
 * Resolves to its exit status and everything it wrote; a program that runs for longer than `minutes` is killed.
 */
export async function runProgram(program, args, { onLine, minutes = 10, nodeOptions = [], env = {} } = {}) {
  const child = spawn(process.execPath, [...nodeOptions, `${REPOSITORY}node_modules/${program}`, ...args], {
    cwd: REPOSITORY,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { NODE_COMPILE_CACHE, ...process.env, ...env, FORCE_COLOR: '0', NO_COLOR: '1' },
  });
  let output = '';
  let line = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output += text;
    const lines = (line + text).split('\n');
    line = lines.pop();
    lines.forEach((each) => onLine?.(each));
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, minutes * 60_000);
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  clearTimeout(timer);
  if (late) output += `\nkilled: it did not end within ${minutes} minutes`;
  return { status: late ? 1 : status, output: output.trim() };
}
