import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const REPOSITORY = join(import.meta.dirname, '../..');
const SCRIPTS = execFileSync('git', ['ls-files', '*.sh', '.ci/run'], { cwd: REPOSITORY, encoding: 'utf8' }).trim().split('\n');

const isHere = spawnSync('shellcheck', ['--version']).status === 0;
if (!isHere) console.warn('not run: shellcheck on our shell scripts: it is not installed');

(isHere ? test : test.skip)('shellcheck has no warning for any shell script', () => {
  expect(SCRIPTS).toContain('scripts/backup-manager.sh');
  const { stdout } = spawnSync('shellcheck', ['--external-sources', '--severity=warning', ...SCRIPTS], {
    cwd: REPOSITORY,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});

test('what users run needs nothing but a POSIX shell', () => {
  for (const script of SCRIPTS.filter((path) => path.startsWith('scripts/') && path !== 'scripts/ci/common.sh')) {
    expect([script, readFileSync(join(REPOSITORY, script), 'utf8').split('\n')[0]]).toEqual([script, '#!/bin/sh']);
  }
});
