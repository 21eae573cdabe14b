import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { completionScript, SHELLS, type Shell } from '../../../src/cli/completion.ts';
import { createProgram } from '../../../src/cli/program.ts';

const terminal = { stdout: { write: () => undefined }, stderr: { write: () => undefined } };
const line = { terminal, env: {}, configDirectory: '/nonexistent', signal: new AbortController().signal };
const script = (shell: Shell) =>
  completionScript(
    createProgram(line, '1.2.3', () => undefined),
    shell,
  );

/** What bash offers after these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const typed = ['backup-manager', ...words].map((word) => `'${word}'`).join(' ');
  const run = `${script('bash')}\nCOMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _backup_manager; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', run], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.split('\n').filter(Boolean);
}

test('bash completes commands, commands below them, fixed arguments and options', () => {
  expect(offered('cre')).toEqual(['create-backup']);
  expect(offered('')).toEqual(expect.arrayContaining(['status', 'health', 'logs', 'config', 'evidence', 'completion']));
  expect(offered('logs', '')).toEqual(expect.arrayContaining(['backup', 'restore', '--follow']));
  expect(offered('logs', 'backup', '--fo')).toEqual(['--follow']);
  expect(offered('config', '')).toEqual(['check', 'show', '--help']);
  expect(offered('evidence', 'verify', '--pub')).toEqual(['--public-key']);
  expect(offered('restore', 'latest', 'shop', '--rep')).toEqual(['--replace']);
});

test.each(SHELLS)('the script for %s is one that the shell takes', (shell) => {
  const { error, status, stderr } = spawnSync(shell, ['-n'], { input: script(shell), encoding: 'utf8' });
  if (error && (error as NodeJS.ErrnoException).code === 'ENOENT') {
    // A word of the script is looked at all the same.
    expect(script(shell)).toContain('create-backup');
    return;
  }
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
