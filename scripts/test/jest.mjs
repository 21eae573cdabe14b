import { mkdir, readFile, rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { folderInMemory } from './memory.mjs';
import { REPOSITORY, runProgram } from './program.mjs';

// `--experimental-vm-modules`: jest runs ES modules through it; the warning about it says nothing new.
const NODE_OPTIONS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

/** Of each run of jest. More than the processors of a small machine: tests on servers and in containers wait a lot. */
const WORKERS = 3;

/** A test that cannot run on this machine says so once, with `console.warn('not run: <what and why>')`. */
const REASON = /^\s*not run: (.*)$/;

/** jest names a file when it is done, and those that failed once more at the end. */
const FILE = /^(PASS|FAIL) (?:\w+ )?(test\/\S+)(.*)/;

/** Several jest projects in one run, so that no processor waits for the last file of each. A result for each of them. */
export async function runJest(sections, patterns, { env = {} } = {}) {
  const report = `${REPOSITORY}.cache/test/${sections.join('-')}.json`;
  await mkdir(`${REPOSITORY}.cache/test`, { recursive: true });
  await rm(report, { force: true });
  // Containers see the machine's files, not its memory.
  const memory = sections.includes('container') ? undefined : await folderInMemory();
  const reasons = new Set();
  const shown = new Set();
  const { status, output } = await runProgram(
    'jest/bin/jest.js',
    [
      ...['--selectProjects', ...sections, '--json', `--outputFile=${report}`, `--maxWorkers=${WORKERS}`, '--passWithNoTests'],
      ...['--', ...patterns],
    ],
    {
      nodeOptions: NODE_OPTIONS,
      minutes: 30,
      env: { ...env, ...(memory !== undefined && { TMPDIR: memory }) },
      onLine(line) {
        const [, verdict, file, duration] = FILE.exec(line) ?? [];
        if (file !== undefined && !shown.has(file)) {
          shown.add(file);
          console.log(`${verdict === 'PASS' ? 'pass' : 'FAIL'}  ${file}${duration}`);
        }
        const reason = REASON.exec(line)?.[1];
        if (reason !== undefined) reasons.add(reason);
      },
    },
  );
  if (memory !== undefined) await rm(memory, { recursive: true, force: true });
  const files = await readFile(report, 'utf8').then(
    (text) => JSON.parse(text).testResults,
    () => undefined,
  );
  const results = sections.map((section) => ({ section, passed: 0, failures: [], skipped: [], reasons: [...reasons] }));
  for (const file of files ?? []) {
    const path = relative(REPOSITORY, file.name);
    addFile(
      results.find(({ section }) => path.startsWith(`test/${section}/`)),
      path,
      file,
    );
  }
  const [first] = results;
  if (files === undefined) first.failures.push({ title: `${sections.join(', ')}: jest did not finish`, details: output });
  else if (status !== 0 && results.every(({ failures }) => failures.length === 0)) {
    first.failures.push({ title: `${sections.join(', ')}: jest ended with ${status}`, details: output });
  }
  return results;
}

function addFile(result, file, { status, message, assertionResults }) {
  const failed = assertionResults.filter((test) => test.status === 'failed');
  for (const test of assertionResults) {
    if (test.status === 'passed') result.passed += 1;
    else if (test.status !== 'failed') result.skipped.push(`${file}: ${test.fullName}`);
  }
  failed.forEach((test, index) => {
    // jest's own text for the file has all its failures, with the code around them.
    result.failures.push({ title: `${file}: ${test.fullName}`, details: index === 0 ? message : '' });
  });
  if (status === 'failed' && failed.length === 0) result.failures.push({ title: `${file} could not be run`, details: message });
}
