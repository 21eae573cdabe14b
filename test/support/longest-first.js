import { statSync } from 'node:fs';

// On a fresh clone jest knows no durations. A file that takes minutes and begins last is waited for by all.
const LONG = [
  'faults/kill.test',
  'container/runbook',
  'container/daemon',
  'integration/pitr',
  'integration/torture/',
  'integration/restore.test',
  'integration/cli',
  'faults/kill-drill',
  'integration/drill/',
];

function rank({ path }) {
  const at = LONG.findIndex((name) => path.includes(`/test/${name}`));
  return at === -1 ? LONG.length : at;
}

/** The files that are known to take long before all others, and those by their size, which is the best that is known. */
export default class LongestFirst {
  sort(tests) {
    const size = new Map(tests.map((test) => [test, statSync(test.path).size]));
    return [...tests].sort((a, b) => rank(a) - rank(b) || size.get(b) - size.get(a));
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults() {}
}
