import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/clock.ts';
import { createNightlyBackup, type NightlyBackupOutcome } from '../../src/jobs/nightly-backup.ts';
import { createLog } from '../../src/log.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { findPrograms } from '../../src/postgres/programs.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { LOGS } from '../../src/report/report-file.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { isRunning } from '../support/is-running.ts';
import { installedVersions } from '../support/postgres-versions.ts';

const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;

let server: ThrowAwayServer;
let folder: string;
let lines: Record<string, unknown>[];

beforeAll(async () => {
  server = await startThrowAwayServer({ binDirectory });
  await withClient(server.connection, (client) => client.query('CREATE TABLE t AS SELECT generate_series(1, 10) AS i'));
});
afterAll(() => server.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hooks-test-'));
  await mkdir(join(folder, 'backups'));
  lines = [];
});
afterEach(() => rm(folder, { recursive: true }));

async function hook(stage: 'pre' | 'post' | 'error', name: string, script: string, mode = 0o755): Promise<string> {
  const parent = join(folder, 'hooks', `${stage}-backup.d`);
  await mkdir(parent, { recursive: true });
  const path = join(parent, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, mode);
  return path;
}

async function run(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<NightlyBackupOutcome> {
  const { timeoutMs = 60_000, signal = new AbortController().signal } = options;
  const local = createDiskStorage({ name: 'local', root: join(folder, 'backups') });
  const { connection } = server;
  const job = createNightlyBackup({
    ...{ source: 'shop', connection, targets: [local], spool: local, workFolder: folder },
    findPrograms: (serverMajor) => findPrograms({ serverMajor, directories: [binDirectory] }),
    reports: [{ storage: local, prefix: LOGS }],
    hooks: { directory: join(folder, 'hooks'), timeoutMs, source: 'shop', connection },
    dump: { codec: 'gzip', level: 1, workers: 1, lockTimeoutMs: 10_000, attempts: 2, rolePasswords: false, allowedWarnings: [] },
    repair: { attempts: 2, baseDelayMs: 1, maxDelayMs: 1 },
    ...{ stallTimeoutMs: 60_000, redact: (text: string) => text.replaceAll('hunter2', '***'), version: '0.1.0' },
  });
  const log = createLog('info', { destination: { write: (line) => lines.push(JSON.parse(line)) } });
  return job.run({ signal, log, clock: systemClock });
}

const said = (path: string) => readFile(join(folder, path), 'utf8');

/** What of this backup directory there is beside the reports. */
async function stored(): Promise<string[]> {
  const local = createDiskStorage({ name: 'local', root: join(folder, 'backups') });
  const keys: string[] = [];
  for await (const { key } of local.list('')) if (!key.startsWith('logs/')) keys.push(key);
  return keys;
}

describe('Hooks around a backup', () => {
  test('run in order of their names, with the facts in their environment and their output in the log', async () => {
    await hook('pre', '20-second', `echo second >>${folder}/order; test ! -e ${folder}/backups/full`);
    await hook('pre', '10-first.sh', `echo first >>${folder}/order; echo said; echo aside >&2; env | sort >${folder}/pre`);
    await hook('pre', 'old.sh~', `echo debris >>${folder}/order`);
    await hook('post', '10-copy', `env | sort >${folder}/post`);
    await hook('error', '10-never', `touch ${folder}/never`);
    const { outcome, summary, label } = await run();
    expect(outcome).toBe('success');
    expect(await said('order')).toBe('first\nsecond\n');
    const { connection } = server;
    const own = {
      HOOK_SOURCE: 'shop',
      HOOK_DATABASE: connection.database,
      HOOK_HOST: connection.host,
      HOOK_USER: connection.user,
    };
    expect(variables(await said('pre'))).toMatchObject({ HOOK_STAGE: 'pre', HOOK_PRE: 'begun', ...own });
    // Nothing of our own environment, which holds secrets.
    expect(
      Object.keys(variables(await said('pre'))).filter((name) => !/^(HOOK_\w+|PATH|LC_ALL|PWD|OLDPWD|SHLVL|_)$/.test(name)),
    ).toEqual([]);
    expect(variables(await said('post'))).toMatchObject({
      ...{ HOOK_STAGE: 'post', HOOK_PRE: 'done', HOOK_OUTCOME: 'success', HOOK_LABEL: label, HOOK_ROWS: '10', ...own },
      ...{ HOOK_LOCATIONS: summary.targets[0]!.location, HOOK_SHA256: summary.targets[0]!.sha256 },
      ...{ HOOK_BYTES: String(summary.sizes!.file), HOOK_STARTED: summary.startedAt, HOOK_WARNINGS: '0' },
    });
    await expect(said('never')).rejects.toThrow('ENOENT');
    expect(lines).toContainEqual(expect.objectContaining({ hook: '10-first.sh', stage: 'pre', msg: 'said' }));
    expect(lines).toContainEqual(expect.objectContaining({ hook: '10-first.sh', stage: 'pre', msg: 'aside' }));
    expect(summary.phases.map(({ name }) => name).slice(0, 2)).toEqual(['check targets', 'hooks']);
  });

  test('a failing one before stops the backup: nothing is written, and `error` knows', async () => {
    await hook('pre', '10-refuse', 'echo not tonight; exit 7');
    await hook('pre', '20-later', `touch ${folder}/later`);
    await hook('post', '10-post', `touch ${folder}/later`);
    await hook('error', '10-tell', `env | sort >${folder}/error`);
    const { outcome, exitStatus, summary } = await run();
    expect([outcome, exitStatus]).toEqual(['failure', 70]);
    expect(summary.error).toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringMatching(/^the hook .*10-refuse ended with status 7; no backup was made$/),
    });
    expect(await stored()).toEqual([]);
    await expect(said('later')).rejects.toThrow('ENOENT');
    expect(variables(await said('error'))).toMatchObject({
      ...{ HOOK_STAGE: 'error', HOOK_PRE: 'begun', HOOK_OUTCOME: 'failure', HOOK_ERROR_CODE: 'HOOK_FAILED' },
      HOOK_ERROR: summary.error!.message,
    });
  });

  test('those after it that fail are warnings in the report, and the others run', async () => {
    await hook('post', '10-broken', 'echo hunter2 >&2; exit 3');
    await hook('post', '20-missing-interpreter', '').then((path) => writeFile(path, '#!/does/not/exist\n'));
    await hook('post', '30-killed', 'kill -9 $$');
    await hook('post', '40-fine', `touch ${folder}/fine`);
    const { outcome, summary } = await run();
    expect(outcome).toBe('success');
    expect(summary.warnings).toEqual([
      expect.stringMatching(/10-broken ended with status 3$/),
      expect.stringMatching(/20-missing-interpreter cannot be started: .*ENOENT/),
      expect.stringMatching(/30-killed was killed by SIGKILL$/),
    ]);
    await said('fine');
  });

  test('one that does not end in time is killed with all that it started, though it ignores SIGTERM', async () => {
    await hook(
      'pre',
      '10-stubborn',
      `trap '' TERM; echo $$ >${folder}/pids; sleep 600 & echo $! >>${folder}/pids; while :; do sleep 1; done`,
    );
    const { summary } = await run({ timeoutMs: 2000 });
    expect(summary.error).toMatchObject({ code: 'HOOK_FAILED', message: expect.stringContaining('did not end within 2 s') });
    const pids = (await said('pids')).trim().split('\n').map(Number);
    expect(pids).toHaveLength(2);
    await untilGone(pids);
  });

  test('what one leaves in the background does not hold up the backup', async () => {
    await hook('pre', '10-daemon', `sleep 600 & echo $! >${folder}/pids`);
    expect((await run()).outcome).toBe('success');
    await untilGone([Number(await said('pids'))]);
  });

  test('an abort ends one before, and still gives those after it a moment', async () => {
    await hook('pre', '10-long', `touch ${folder}/began; sleep 600`);
    await hook('error', '10-undo', `echo $HOOK_OUTCOME >${folder}/undone`);
    const stop = new AbortController();
    const running = run({ signal: stop.signal });
    while (!((await said('began').catch(() => undefined)) === '')) await sleep(10);
    stop.abort();
    expect((await running).outcome).toBe('aborted');
    expect(await said('undone')).toBe('aborted\n');
  });

  test('one that is not executable is left, with a warning', async () => {
    await hook('pre', 'README', 'these are hooks', 0o644);
    await mkdir(join(folder, 'hooks', 'pre-backup.d', 'folder'));
    const { outcome, summary } = await run();
    expect(outcome).toBe('success');
    expect(summary.warnings).toEqual([
      expect.stringMatching(/^a hook is not run: .*README is not executable$/),
      expect.stringMatching(/^a hook is not run: .*folder is not a file$/),
    ]);
  });

  test.each([
    ['may be written by others', (path: string) => chmod(path, 0o757), /10-hook may be written by others \(mode 0757\)/],
    ['may be written by its group', (path: string) => chmod(path, 0o775), /10-hook may be written by others \(mode 0775\)/],
    ['lies where others may write', (path: string) => chmod(join(path, '..'), 0o777), /pre-backup.d may be written by others/],
  ])('one that %s is not run, and there is no backup without it', async (_, spoil, message) => {
    await spoil(await hook('pre', '10-hook', `touch ${folder}/ran`));
    const { outcome, summary } = await run();
    expect(outcome).toBe('failure');
    expect(summary.error).toMatchObject({ code: 'HOOK_FAILED', message: expect.stringMatching(message) });
    await expect(said('ran')).rejects.toThrow('ENOENT');
    expect(await stored()).toEqual([]);
  });

  const isRoot = process.getuid?.() === 0;
  if (!isRoot) console.warn('not run: a hook of somebody else (only root can give a file away)');
  (isRoot ? test : test.skip)('one that belongs to somebody else is not run either', async () => {
    await chown(await hook('pre', '10-hook', `touch ${folder}/ran`), 65_534, 65_534);
    const { summary } = await run();
    expect(summary.error).toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringMatching(/10-hook belongs to account 65534/),
    });
    await expect(said('ran')).rejects.toThrow('ENOENT');
  });

  test('after it, such a one is a warning', async () => {
    await chmod(await hook('post', '10-hook', `touch ${folder}/ran`), 0o777);
    const { outcome, summary } = await run();
    expect(outcome).toBe('success');
    expect(summary.warnings).toEqual([expect.stringContaining('10-hook may be written by others')]);
    await expect(said('ran')).rejects.toThrow('ENOENT');
  });
});

/** SIGKILL takes effect a moment after it is sent. */
async function untilGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isRunning)) await sleep(10);
}

function variables(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .flatMap((line) => (line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [])),
  );
}
