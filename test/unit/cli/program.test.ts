import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CommanderError } from 'commander';
import { createProgram } from '../../../src/cli/program.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'program-test-'));
});

afterAll(() => rm(folder, { recursive: true }));

async function run(args: readonly string[], env: Record<string, string> = {}) {
  let [stdout, stderr] = ['', ''];
  let status: number | undefined;
  const program = createProgram(
    {
      terminal: {
        stdout: { write: (text) => (stdout += text) },
        stderr: { write: (text) => (stderr += text) },
      },
      env: { BACKUP_DIR: folder, ...env },
      configDirectory: fileURLToPath(new URL('../../../config', import.meta.url)),
      signal: new AbortController().signal,
    },
    '1.2.3',
    (ended) => (status = ended),
  );
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    status = error.exitCode;
  }
  return { status, stdout, stderr };
}

describe('The command line', () => {
  test.each(['create-backup', 'list-backups', 'verify', 'restore', 'reindex', 'status'])(
    '%s helps, with examples',
    async (command) => {
      const { status, stdout } = await run([command, '--help']);
      expect(status).toBe(0);
      expect(stdout).toContain(`Examples:\n  backup-manager ${command}`);
      expect(stdout).toContain('--json');
    },
  );

  test('needs no database for looking at backups, but for making one', async () => {
    expect(await run(['list-backups', '--json'])).toEqual({
      ...{ status: 0, stderr: '', stdout: '{\n  "backups": [],\n  "unreachable": []\n}\n' },
    });
    expect(await run(['create-backup'])).toMatchObject({ status: 2, stderr: expect.stringContaining('POSTGRES_DB') });
  });

  test('--json gives nothing but JSON on standard output, of an error too', async () => {
    const { status, stdout, stderr } = await run(['verify', 'absent', '--json']);
    expect(status).toBe(30);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'BACKUP_UNKNOWN', message: expect.any(String), hint: expect.any(String) },
    });
    expect(stderr).toContain('Code: BACKUP_UNKNOWN');
  });

  test('names the targets there are when asked for another', async () => {
    expect(await run(['verify', '--target', 'tape'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/"tape"[^]*local/),
    });
  });

  test('refuses options that contradict one another before anything is done', async () => {
    expect(await run(['restore', 'latest', 'shop', '--append'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--table'),
    });
    expect((await run(['restore', '--table', 'a.b.c'])).stderr).toContain('not the name of a table');
    expect((await run(['restore', 'latest', '--table', 'public.orders'])).stderr).toContain('name it');
    expect((await run(['restore', 'latest', 'shop', '--table', 'public.orders', '--replace'])).stderr).toContain(
      'whole databases',
    );
  });

  test('lists nothing as partial: a directory that is not there is an error', async () => {
    const { status, stdout, stderr } = await run(['list-backups'], { BACKUP_DIR: join(folder, 'absent') });
    expect(status).toBe(20);
    expect(stdout).toBe('No backup on the targets that could be listed.\n');
    expect(stderr).toContain('STORAGE_MISSING');
  });
});
