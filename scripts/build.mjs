// Builds dist/: plain JavaScript for an installed program (Node does not strip types inside node_modules).
//
//   node scripts/build.mjs [FOLDER]
//
// Into a FOLDER of its own it builds without checking types: for programs that need a build beside the one that others use.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [folder] = process.argv.slice(2);
const dist = resolve(folder ?? fileURLToPath(new URL('../dist', import.meta.url)));
const repository = fileURLToPath(new URL('..', import.meta.url));
process.chdir(repository);

rmSync(dist, { recursive: true, force: true });
try {
  const args = ['-p', 'tsconfig.build.json', '--outDir', dist, ...(folder === undefined ? [] : ['--noCheck'])];
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', ...args], { stdio: 'inherit' });
} catch {
  process.exit(1);
}

// tsc rewrites the extension in imports, not in the URLs that worker threads are started from.
for (const file of globSync(`${dist}/**/*.js`)) {
  const text = readFileSync(file, 'utf8');
  const rewritten = text.replace(/(new URL\('\.[^']*)\.ts(', import\.meta\.url\))/g, '$1.js$2');
  if (rewritten !== text) writeFileSync(file, rewritten);
}
cpSync('src/codec/row-digest.wasm', `${dist}/codec/row-digest.wasm`);
for (const entry of globSync(`${dist}/{main,cli}.js`)) chmodSync(entry, 0o755);

const missed = globSync(`${dist}/**/*.js`).filter((file) => /new URL\(['"`][^'"`$]*\.ts['"`]/.test(readFileSync(file, 'utf8')));
if (missed.length > 0) {
  console.error(`A worker would be started from a .ts file that is not in dist: ${missed.join(', ')}`);
  process.exit(1);
}
