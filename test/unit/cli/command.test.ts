import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { runCommand, type RunCommand } from '../../../src/cli/command.ts';
import { BackupError } from '../../../src/errors.ts';

/** Runs a command with settings that lead nowhere. */
async function run(command: RunCommand, options: { json?: boolean; signal?: AbortSignal } = {}) {
  let [stdout, stderr] = ['', ''];
  const status = await runCommand(
    {
      terminal: { stdout: { write: (text) => (stdout += text) }, stderr: { write: (text) => (stderr += text) } },
      env: { BACKUP_DIR: '/nonexistent' },
      configDirectory: fileURLToPath(new URL('../../../config', import.meta.url)),
      signal: options.signal ?? new AbortController().signal,
    },
    { json: options.json ?? false, needsSource: false },
    command,
  );
  return { status, stdout, stderr };
}

describe('A command', () => {
  test('that fails after its result prints one JSON document, with the error inside', async () => {
    const { status, stdout } = await run(
      async ({ print }) => {
        print({ label: 'a', results: [] }, []);
        throw new BackupError('BACKUP_DAMAGED', 'it did not pass', { hint: 'Keep it.' });
      },
      { json: true },
    );
    expect({ status, value: JSON.parse(stdout) }).toEqual({
      status: 30,
      value: { label: 'a', results: [], error: { code: 'BACKUP_DAMAGED', message: 'it did not pass', hint: 'Keep it.' } },
    });
  });

  test('that was stopped says what it left behind', async () => {
    const signal = AbortSignal.abort(new BackupError('ABORTED', 'stopped by SIGINT'));
    const left = new BackupError('ABORTED', 'stopped by SIGINT. The half-restored database was kept as "x".');
    const { status, stderr } = await run(() => Promise.reject(left), { signal });
    expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringContaining('was kept as "x"') });
  });

  test('that was stopped says so, whatever failed for it', async () => {
    const signal = AbortSignal.abort(new BackupError('ABORTED', 'stopped by SIGINT'));
    const { status, stderr } = await run(() => Promise.reject(new Error('socket hang up')), { signal });
    expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringContaining('stopped by SIGINT') });
  });
});
