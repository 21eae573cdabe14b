import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a command without input. `ok` is whether it exited 0; `output` is what it wrote to both streams. */
export function run(file, args, { cwd = REPOSITORY, env = {} } = {}) {
  const result = spawnSync(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const output = result.error ? result.error.message : `${result.stdout}${result.stderr}`;
  return { ok: result.status === 0, output: output.trimEnd() };
}

/** The same, while others run. */
export function runBeside(file, args) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd: REPOSITORY, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (status) => resolve({ ok: status === 0, output: output.trimEnd() }));
  });
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The full path of a program on PATH, or `undefined`. */
export function which(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, program);
    if (folder !== '' && isExecutable(path)) return path;
  }
  return undefined;
}

export function lastLines(text, count) {
  return text.split('\n').slice(-count).join('\n');
}
