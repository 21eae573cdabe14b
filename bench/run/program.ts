import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** The program under measurement, built as it is shipped. */
export interface Program {
  /** A Node of its own: pages that it shared with the bench, which runs on Node too, would count half in PSS. */
  readonly node: string;
  /** `cli.js` of the build. */
  readonly cli: string;
  /** The same, built with a row kernel that hashes nothing. */
  readonly cliWithoutDigest: string;
}

/** Builds the program into a folder of its own, so that nothing that is built meanwhile changes what is measured. */
export async function buildProgram(folder: string): Promise<Program> {
  const whole = join(folder, 'program');
  const without = join(folder, 'program-without-digest');
  const node = join(folder, 'node');
  await copyFile(process.execPath, node);
  await surround(whole);
  await surround(without);
  await run(process.execPath, [join(REPOSITORY, 'scripts/build.mjs'), join(whole, 'dist')], { cwd: REPOSITORY });
  await cp(join(whole, 'dist'), join(without, 'dist'), { recursive: true });
  await buildKernelWithoutDigest(join(without, 'dist/codec/row-digest.wasm'));
  return { node, cli: join(whole, 'dist/cli.js'), cliWithoutDigest: join(without, 'dist/cli.js') };
}

/** What the build looks for beside itself. */
async function surround(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of ['node_modules', 'config', 'package.json']) await symlink(join(REPOSITORY, name), join(folder, name));
}

/** The kernel's source leaves the hash out when this name is defined. Everything else is compiled as it is for a release. */
async function buildKernelWithoutDigest(output: string): Promise<void> {
  const { scripts } = JSON.parse(await readFile(join(REPOSITORY, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const words = scripts['build:kernel']!.split(' ').slice(1);
  words[words.indexOf('-o') + 1] = output;
  const compiler = join(REPOSITORY, 'node_modules/assemblyscript/bin/asc.js');
  await run(process.execPath, [compiler, ...words, '--use', 'WITHOUT_DIGEST=1'], { cwd: REPOSITORY });
}
