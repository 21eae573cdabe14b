import { mkdir, readFile, rm } from 'node:fs/promises';
import { relative } from 'node:path';
import { REPOSITORY, runProgram } from './program.mjs';

// `--experimental-vm-modules`: jest runs ES modules through it; the warning about it says nothing new.
const NODE_OPTIONS = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

/** A test that cannot run on this machine says so once, with `console.warn('not run: <what and why>')`. */
const REASON = /^\s*not run: (.*)$/;

/** jest names a file when it is done, and those that failed once more at the end. */
const FILE = /^(PASS|FAIL) (?:\w+ )?(test\/\S+)(.*)/;

/** One jest project, told by the JSON that jest writes; its own output only shows which file is done. */
export async function runJest(section, patterns, { env = {} } = {}) {
  const report = `${REPOSITORY}.cache/test/${section}.json`;
  await mkdir(`${REPOSITORY}.cache/test`, { recursive: true });
  await rm(report, { force: true });
  const reasons = new Set();
  const shown = new Set();
  const { status, output } = await runProgram(
    'jest/bin/jest.js',
    ['--selectProjects', section, '--json', `--outputFile=${report}`, '--maxWorkers=2', '--passWithNoTests', '--', ...patterns],
    {
      nodeOptions: NODE_OPTIONS,
      minutes: 14,
      env,
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
  const files = await readFile(report, 'utf8').then(
    (text) => JSON.parse(text).testResults,
    () => undefined,
  );
  if (files === undefined) {
    return {
      section,
      passed: 0,
      failures: [{ title: `${section}: jest did not finish`, details: output }],
      skipped: [],
      reasons: [],
    };
  }
  const result = { section, passed: 0, failures: [], skipped: [], reasons: [...reasons] };
  for (const file of files) addFile(result, file);
  if (status !== 0 && result.failures.length === 0) {
    result.failures.push({ title: `${section}: jest ended with ${status}`, details: output });
  }
  return result;
}

function addFile(result, { name, status, message, assertionResults }) {
  const file = relative(REPOSITORY, name);
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
