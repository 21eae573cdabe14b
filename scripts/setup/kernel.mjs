import { existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lastLines, REPOSITORY, run } from './command.mjs';
import { say, SetupError } from './report.mjs';

const SOURCES = join(REPOSITORY, 'src', 'codec', 'kernel');
const KERNEL = join(REPOSITORY, 'src', 'codec', 'row-digest.wasm');
const BIN = join(REPOSITORY, 'node_modules', '.bin');

function isCurrent() {
  if (!existsSync(KERNEL)) return false;
  const built = statSync(KERNEL).mtimeMs;
  return readdirSync(SOURCES).every((file) => statSync(join(SOURCES, file)).mtimeMs <= built);
}

/** Compiles the WebAssembly kernel. `optional`: a production install has no compiler, and brings the kernel in dist. */
export function buildKernel({ optional }) {
  if (!existsSync(SOURCES) || isCurrent()) return;
  if (optional && !existsSync(join(BIN, 'asc'))) return;
  say('compiling the WebAssembly kernel …');
  const { ok, output } = run('npm', ['run', '--silent', 'build:kernel'], {
    env: { PATH: `${BIN}${delimiter}${process.env.PATH ?? ''}` },
  });
  if (!ok) throw new SetupError('the WebAssembly kernel did not compile', lastLines(output, 20));
}
