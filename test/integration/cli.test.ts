import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { quoteIdentifier, withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { lockFile } from '../../src/storage/file-lock.ts';
import { backupReportSchema } from '../../src/report/backup-report-schema.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { backupManager, CLI, sourceSettings, type Ended } from '../support/command.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';

let server: ThrowAwayServer;
let folder: string;
let env: Record<string, string>;
let label: string;

const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-test-'));
  await mkdir(join(folder, 'backups'));
  server = await startThrowAwayServer({ binDirectory, listenOnLoopback: true });
  await query('postgres', 'CREATE DATABASE shop');
  await query('shop', `CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS note FROM generate_series(1, 5000) i`);
  await query('shop', `CREATE TABLE "odd name" AS SELECT 1 AS one`);
  env = {
    ...sourceSettings({ ...server.connection, database: 'shop' }),
    BACKUP_DIR: join(folder, 'backups'),
    BACKUP_PROGRAM_DIRECTORIES: binDirectory,
  };
  const { status, stdout, stderr } = await backupManager(['create-backup', '--json'], env);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  label = JSON.parse(stdout).label;
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function query(database: string, sql: string): Promise<Record<string, unknown>[]> {
  return withClient(
    { ...server.connection, database },
    async (client) => (await client.query<Record<string, unknown>>(sql)).rows,
  );
}

async function rowsOf(database: string, table = 'orders'): Promise<unknown> {
  return (await query(database, `SELECT count(*)::int AS n FROM ${quoteIdentifier(table)}`))[0]!['n'];
}

async function json(args: readonly string[], more: Record<string, string> = {}) {
  const { status, stdout, stderr } = await backupManager([...args, '--json'], { ...env, ...more });
  return { status, stderr, value: JSON.parse(stdout) };
}

function files(): Promise<string[]> {
  return readdir(join(folder, 'backups', 'full'));
}

/** One block for a person: what, what to do, the code; no stack. */
function expectBlock({ status, stderr }: Ended, expected: { status: number; code: string; says: RegExp }): void {
  expect({ status, stderr }).toEqual({ status: expected.status, stderr: expect.stringMatching(expected.says) });
  expect(stderr).toMatch(/What to do: \S/);
  expect(stderr).toContain(`Code: ${expected.code} (exit status ${expected.status})`);
  expect(stderr).not.toMatch(/\n\s+at /);
}

describe('backup-manager', () => {
  test('writes a report that fits its schema, after a success and after a failure', async () => {
    const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(backupReportSchema);
    await json(['create-backup'], { POSTGRES_DB: 'absent' });
    const logs = await readdir(join(folder, 'backups', 'logs'));
    const reports = logs.filter((name) => name.includes('_report_'));
    const outcomes = [];
    for (const name of reports) {
      expect(name).toMatch(/^backup_report_\d{8}_\d{6}(_\d+)?\.json$/);
      const report = JSON.parse(await readFile(join(folder, 'backups', 'logs', name), 'utf8'));
      expect(validate(report) ? [] : validate.errors).toEqual([]);
      outcomes.push(report.outcome);
    }
    expect(outcomes).toEqual(expect.arrayContaining(['success', 'failure']));
  });

  test('lists what there is, as a table and as JSON', async () => {
    const { status, value } = await json(['list-backups']);
    expect(status).toBe(0);
    expect(value.backups).toMatchObject([
      { label, source: 'shop', state: 'complete', tables: 2, rows: 5001, copies: [{ target: 'local', state: 'whole' }] },
    ]);
    const { stdout } = await backupManager(['list-backups'], env);
    expect(stdout).toMatch(new RegExp(`^LABEL.*\n${label} .* complete .* local\n$`));
  });

  test('verifies every byte', async () => {
    const { status, value } = await json(['verify']);
    expect({ status, outcomes: value.results.map(({ outcome }: { outcome: string }) => outcome) }).toEqual({
      status: 0,
      outcomes: ['passed'],
    });
  });

  test('restores the newest backup into a staging database when not told more, or told nothing in so many words', async () => {
    expect((await json(['restore'])).value).toMatchObject({ database: 'shop_restored', rows: 5001, proof: 'checksums' });
    expect(await rowsOf('shop_restored')).toBe(5000);
    const second = await backupManager(['restore', '', ''], env);
    expectBlock(second, { status: 40, code: 'RESTORE_REFUSED', says: /not empty/ });
  });

  test('restores by label, file name and path, and replaces only when told to, keeping what was there', async () => {
    for (const [what, database] of [
      [label, 'by_label'],
      [`${label}.sql.gz`, 'by_name'],
      [join(folder, 'backups', 'full', `${label}.sql.gz`), 'by_path'],
    ] as const) {
      expect((await json(['restore', what, database])).status).toBe(0);
      expect(await rowsOf(database)).toBe(5000);
    }
    await query('by_label', 'DELETE FROM orders');
    const { value } = await json(['restore', label, 'by_label', '--replace']);
    expect(await rowsOf('by_label')).toBe(5000);
    expect(await rowsOf(value.keptDatabase)).toBe(0);
  });

  test('restores one table', async () => {
    await query('postgres', 'CREATE DATABASE partial');
    expect((await json(['restore', 'latest', 'partial', '--table', 'public.odd name'])).value).toMatchObject({
      tables: 1,
      rows: 1,
    });
    expect(await rowsOf('partial', 'odd name')).toBe(1);
  });

  test('restores what something else dumped, and says that nothing is proven', async () => {
    const path = join(folder, 'old.sql.gz');
    await writeFile(path, gzipSync('CREATE TABLE old AS SELECT 7 AS n;\n'));
    expect((await json(['restore', path, 'foreign'])).value).toMatchObject({ database: 'foreign', proof: 'none' });
    expect(await rowsOf('foreign', 'old')).toBe(1);
  });

  test('restores a dump of ours that lies elsewhere, with its manifest', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    for (const name of (await files()).filter((each) => each.startsWith(label))) {
      await copyFile(join(folder, 'backups', 'full', name), join(elsewhere, name));
    }
    const { value } = await json(['restore', join(elsewhere, `${label}.sql.gz`), 'from_elsewhere']);
    expect(value).toMatchObject({ proof: 'checksums', rows: 5001 });
  });

  test('rebuilds a lost manifest', async () => {
    const dump = join(folder, 'backups', 'full', `${label}.sql.gz`);
    const before = JSON.parse(await readFile(`${dump}.meta`, 'utf8'));
    await rename(`${dump}.meta`, join(folder, 'lost.meta'));
    expect((await json(['list-backups'])).value.backups).toMatchObject([{ label, state: 'unindexed' }]);
    expect((await backupManager(['restore', label, 'unindexed'], env)).stderr).toContain('reindex');
    expect((await json(['reindex', dump])).status).toBe(0);
    expect(JSON.parse(await readFile(`${dump}.meta`, 'utf8'))).toMatchObject({ tables: before.tables, members: before.members });
    expect((await json(['verify', label])).status).toBe(0);
  });

  test('shows the status: 0 when all is well, otherwise the exit status of what is not', async () => {
    // The last run of this file may have been one that was meant to fail.
    await json(['create-backup']);
    const { status, value } = await json(['status']);
    expect({ status, value }).toMatchObject({ status: 0, value: { healthy: true, lastRun: { outcome: 'success' } } });
    expect(value.next.next).toMatch(/T02:00:00\.000Z$/);
    const unwell = await json(['status'], { POSTGRES_DB: 'absent' });
    expect(unwell).toMatchObject({ status: 10, value: { healthy: false } });
  });

  test('shows on one screen what can be recovered, and what runs next', async () => {
    const { status, value } = await json(['status']);
    expect({ status, value }).toMatchObject({
      status: 0,
      value: { rpo: { targetMinutes: 60, minutes: expect.any(Number) }, rto: { targetMinutes: 30 } },
    });
    expect(Date.parse(value.recoverableSince)).toBeLessThan(Date.now());
    expect(value.nextRuns.map(({ job }: { job: string }) => job)).toEqual([
      'nightly-backup',
      'weekly-cleanup',
      'restore-drill',
      'health-check',
    ]);
    expect(value.jobs[0]).toMatchObject({
      ...{ job: 'nightly-backup', last: { state: 'done', result: 'success' }, next: expect.stringMatching(/T02:00:00\.000Z$/) },
    });
    const { stdout } = await backupManager(['status'], env);
    expect(stdout.split('\n').length).toBeLessThan(25);
    expect(stdout).toMatch(/\n +JOB +LAST RUN +OUTCOME +NEXT.*\n +nightly-backup +\S+.* success +/);
    expect(stdout).toMatch(/newest proven +none.*\n +recoverable +since .*\n +RPO +\d+ min, target 60 min\n +RTO +not known/);
  });

  test('lists those that are asked for', async () => {
    const labels = async (...args: string[]) =>
      (await json(['list-backups', ...args])).value.backups.map(({ label: each }: { label: string }) => each);
    const every = await labels();
    expect(every.length).toBeGreaterThan(1);
    expect(await labels('--limit', '1')).toEqual(every.slice(0, 1));
    expect(await labels('--state', 'good', '--target', 'local')).toEqual(every);
    expect(await labels('--until', '2020-01-01')).toEqual([]);
    expect((await backupManager(['list-backups', '--state', 'damaged'], env)).stdout).toBe(
      `${every.length} more that the filter leaves out.\n`,
    );
    expect(await backupManager(['list-backups', '--target', 'tape'], env)).toMatchObject({
      ...{ status: 2, stderr: expect.stringMatching(/"tape"[^]*local/) },
    });
  });

  test('shows the last reports of a job, newest last, and of which file log lines would come', async () => {
    const { value } = await json(['logs', 'backup', '--reports', '2']);
    expect(value).toMatchObject({
      reports: [{ job: 'nightly-backup', outcome: 'success' }, { job: 'nightly-backup' }],
      log: join(folder, 'backups', 'logs', 'daemon.log'),
      lines: [],
    });
    const { stdout } = await backupManager(['logs', 'backup'], env);
    expect(stdout).toMatch(/nightly-backup {2}failure .*\n {2}\S[^]*nightly-backup {2}success [^]*the daemon has not logged/);
    expect(await backupManager(['logs', 'weather'], env)).toMatchObject({ status: 2, stderr: expect.stringContaining('backup') });
  });

  test('shows what is configured, and whether it is whole', async () => {
    const secrets = { POSTGRES_PASSWORD: 'hunter2' };
    const shown = await backupManager(['config', 'show', '--changed'], { ...env, ...secrets });
    expect(shown).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/source\.password +\*\*\* +environment variable POSTGRES_PASS/),
    });
    expect(shown.stdout + (await json(['config', 'show'], secrets)).stderr).not.toContain('hunter2');
    expect(await json(['config', 'check'])).toMatchObject({ status: 0, value: { valid: true, sources: ['shop'] } });
    expect(await json(['config', 'check'], { BACKUP_CODEC: 'zip' })).toMatchObject({
      status: 2,
      value: { valid: false, error: { code: 'CONFIG_INVALID', message: expect.stringContaining('dump.codec') } },
    });
  });

  test('shows several sources in one table, those to look at first, and looks at all of them', async () => {
    const files = join(folder, 'several');
    await mkdir(files);
    const { POSTGRES_DB: _, ...others } = env;
    await writeFile(
      join(files, 'default.json'),
      JSON.stringify({ sources: { shop: { database: 'shop' }, void: { database: 'postgres' } } }),
    );
    const several = { ...others, BACKUP_CONFIG_DIRECTORY: files };
    const { status, stdout } = await backupManager(['status'], several);
    expect(stdout).toMatch(
      /^Attention: 1 of 2 sources are well\.\nSOURCE .*\nvoid +LOOK +none .*\nshop +well +\d+ min ago .*\nAttention: void: /,
    );
    expect(status).toBe(30);
    const health = await backupManager(['health', '--json'], several);
    expect(
      JSON.parse(health.stdout).sources.map(({ source, state }: { source: string; state: string }) => [source, state]),
    ).toEqual([
      ['shop', 'warn'],
      ['void', 'fail'],
    ]);
    const one = await backupManager(['status', '--source', 'shop'], several);
    expect(one).toMatchObject({ status: 0, stdout: expect.stringContaining('All is well.') });
    expect((await backupManager(['list-backups', '--source', 'void'], several)).stdout).toContain('the filter leaves out');
  });

  test('a dump whose run has not written its manifest yet is shown as being written, not as damage', async () => {
    const running = join(folder, 'running');
    await cp(join(folder, 'backups'), running, { recursive: true });
    const { value: before } = await json(['status'], { BACKUP_DIR: running });
    const name = `backup_shop_${new Date()
      .toISOString()
      .replaceAll(/[-:]|\..*/g, '')
      .replace('T', '_')}`;
    await copyFile(join(running, 'full', `${label}.sql.gz`), join(running, 'full', `${name}.sql.gz`));
    const states = async () => {
      const { value } = await json(['list-backups'], { BACKUP_DIR: running });
      return value.backups.filter((each: { label: string }) => each.label === name).map(({ state }: { state: string }) => state);
    };
    const lock = await lockFile(running);
    expect(await states()).toEqual(['being-written']);
    expect(await json(['status'], { BACKUP_DIR: running })).toMatchObject({
      status: 0,
      value: { healthy: true, backups: { ...before.backups, 'being-written': 1 } },
    });
    expect((await json(['verify'], { BACKUP_DIR: running })).value.label).not.toBe(name);
    expectBlock(await backupManager(['restore', name, 'too_early'], { ...env, BACKUP_DIR: running }), {
      ...{ status: 60, code: 'LOCKED', says: /being written/ },
    });
    await lock!.release();
    expect(await states()).toEqual(['unindexed']);
    expect(await json(['status'], { BACKUP_DIR: running })).toMatchObject({ status: 30, value: { backups: { unindexed: 1 } } });
  });

  test('is not well when the newest backup is old or one is damaged', async () => {
    const old = join(folder, 'old');
    await mkdir(join(old, 'full'), { recursive: true });
    for (const name of (await files()).filter((each) => each.startsWith(label))) {
      const then = name.replace(/_\d{8}_\d{6}/, '_20200101_020000');
      await copyFile(join(folder, 'backups', 'full', name), join(old, 'full', then));
    }
    const aged = await json(['status'], { BACKUP_DIR: old });
    expect(aged).toMatchObject({ status: 30, value: { healthy: false } });
    expect(aged.value.problems).toEqual([expect.stringMatching(/newest good backup is \d+ d old.*every 24 h/)]);

    await truncate(join(old, 'full', 'backup_shop_20200101_020000.sql.gz'), 100);
    const damaged = await json(['status'], { BACKUP_DIR: old });
    expect(damaged.value.problems).toContain('1 damaged (backup_shop_20200101_020000)');

    await mkdir(join(old, 'logs', 'status.json'), { recursive: true });
    const unreadable = await json(['status'], { BACKUP_DIR: old });
    expect(unreadable.value.problems).toContainEqual(expect.stringContaining(join(old, 'logs', 'status.json')));
  });

  test('says which newer backup the latest is not, and verifies that one', async () => {
    const both = join(folder, 'both');
    await mkdir(join(both, 'full'), { recursive: true });
    const newer = 'backup_shop_20990101_020000';
    for (const name of (await files()).filter((each) => each.startsWith(label))) {
      await copyFile(join(folder, 'backups', 'full', name), join(both, 'full', name));
      await copyFile(join(folder, 'backups', 'full', name), join(both, 'full', name.replace(label, newer)));
    }
    await truncate(join(both, 'full', `${newer}.sql.gz`), 100);
    const verified = await json(['verify'], { BACKUP_DIR: both });
    expect(verified).toMatchObject({ status: 30, value: { label: newer, error: { code: 'BACKUP_DAMAGED' } } });
    const restored = await json(['restore', 'latest', 'not_the_newest'], { BACKUP_DIR: both });
    expect(restored).toMatchObject({ status: 0, value: { label } });
    expect(restored.value.warnings).toContainEqual(expect.stringMatching(new RegExp(`^${newer} is newer .* damaged`)));
    expect(restored.stderr).toContain(`Warning: ${newer}`);
  });

  test('ends with its own status when nobody reads what it says', async () => {
    const unread = async (args: string, which: string, more: Record<string, string> = {}) => {
      const script = `"$0" "$1" ${args} ${which} | true; exit "\${PIPESTATUS[0]}"`;
      const child = spawn('bash', ['-c', script, process.execPath, CLI], {
        stdio: 'ignore',
        env: { ...BARE_ENVIRONMENT, ...env, ...more },
      });
      const [status] = (await once(child, 'close')) as [number | null];
      return status;
    };
    expect(await unread('verify --json', '')).toBe(0);
    expect(await unread('verify', '2>&1')).toBe(0);
    expect(await unread('verify', '', { BACKUP_DIR: join(folder, 'both') })).toBe(30);
    expect(await unread('verify', '2>&1', { BACKUP_DIR: join(folder, 'both') })).toBe(30);
  });

  test('helps with examples, and knows what it does not know', async () => {
    const help = await backupManager(['restore', '--help'], {});
    expect(help).toMatchObject({ status: 0, stdout: expect.stringMatching(/Examples:\n {2}backup-manager restore/) });
    expect(await backupManager(['retsore'], {})).toMatchObject({ status: 2, stderr: expect.stringContaining('restore') });
    expect(await backupManager(['restore', '--jobs', '0'], {})).toMatchObject({ status: 2 });
  });

  test('--verbose logs to standard error, as JSON lines', async () => {
    const { stdout, stderr } = await backupManager(['verify', '--json', '--verbose'], env);
    expect(JSON.parse(stdout)).toMatchObject({ results: [{ outcome: 'passed' }] });
    expect(
      stderr
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line).msg),
    ).toContain('verified');
  });
});

describe('What is wrong on the command line or in the settings is said clearly, and nothing is changed', () => {
  async function failing(args: readonly string[], more: Record<string, string>): Promise<Ended> {
    const before = await files();
    const ended = await backupManager(args, { ...env, ...more });
    expect(await files()).toEqual(before);
    return ended;
  }

  test('no server; with --json the error is in the report, too', async () => {
    const ended = await failing(['create-backup', '--json'], { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' });
    expectBlock(ended, { status: 10, code: 'SOURCE_UNREACHABLE', says: /127\.0\.0\.1/ });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      outcome: 'failure',
      exitStatus: 10,
      error: { code: 'SOURCE_UNREACHABLE', hint: expect.any(String) },
    });
  });

  test('wrong password, which is not repeated', async () => {
    const { host, port } = server.loopback!;
    const secret = 'not-the-password';
    const ended = await failing(['create-backup'], {
      POSTGRES_HOST: host,
      POSTGRES_PORT: String(port),
      POSTGRES_PASSWORD: secret,
    });
    expectBlock(ended, { status: 10, code: 'SOURCE_AUTHENTICATION', says: /password/ });
    expect(ended.stdout + ended.stderr).not.toContain(secret);
  });

  test('no such database', async () => {
    expectBlock(await failing(['create-backup'], { POSTGRES_DB: 'absent' }), {
      ...{ status: 10, code: 'SOURCE_DATABASE_MISSING', says: /"absent"/ },
    });
  });

  test('a role without the right to read a table, which is named', async () => {
    await query('shop', `CREATE ROLE narrow LOGIN`);
    await query('shop', `GRANT SELECT ON "odd name" TO narrow`);
    expectBlock(await failing(['create-backup'], { POSTGRES_USER: 'narrow' }), {
      ...{ status: 10, code: 'SOURCE_PRIVILEGE', says: /orders/ },
    });
  });

  test('the backup directory is missing', async () => {
    const missing = join(folder, 'missing');
    expectBlock(await failing(['create-backup'], { BACKUP_DIR: missing }), {
      ...{ status: 20, code: 'STORAGE_MISSING', says: /missing/ },
    });
    await expect(readdir(missing)).rejects.toThrow('ENOENT');
    expect(await backupManager(['list-backups'], { ...env, BACKUP_DIR: missing })).toMatchObject({ status: 20 });
  });

  test('the backup directory is a file', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    expect(await failing(['create-backup'], { BACKUP_DIR: file })).toMatchObject({ status: 20 });
    expect(await readFile(file, 'utf8')).toBe('x');
  });

  testWithMounts('the backup directory cannot be written to', async () => {
    const readOnly = join(folder, 'read-only');
    await withMount(readOnly, 'ro', async () => {
      expectBlock(await failing(['create-backup'], { BACKUP_DIR: readOnly }), {
        status: 20,
        code: 'STORAGE_READ_ONLY',
        says: /read-only/,
      });
    });
  });

  test('a label that nobody knows', async () => {
    for (const command of ['verify', 'restore', 'reindex']) {
      const ended = await failing([command, 'backup_nobody_20200101_000000', '--json'], {});
      expectBlock(ended, { status: 30, code: 'BACKUP_UNKNOWN', says: /backup_nobody_20200101_000000/ });
      expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'BACKUP_UNKNOWN', hint: expect.any(String) } });
    }
  });

  test('a path where nothing is', async () => {
    expectBlock(await failing(['restore', join(folder, 'nothing.sql'), 'from_nothing'], {}), {
      ...{ status: 30, code: 'BACKUP_UNKNOWN', says: /There is no file or folder .*nothing\.sql/ },
    });
  });

  test('a mistyped setting, with the nearest valid name; several at once', async () => {
    const ended = await failing(['create-backup'], { BACKUP_CODEK: 'gzip', BACKUP_WORKERS: 'many' });
    expectBlock(ended, {
      status: 2,
      code: 'CONFIG_INVALID',
      says: /BACKUP_CODEC[^]*BACKUP_WORKERS|BACKUP_WORKERS[^]*BACKUP_CODEC/,
    });
  });

  test('a hostile name of a database is a name and nothing else', async () => {
    for (const name of ['"; DROP DATABASE shop; --', '../shop', 'a b', "'; SELECT 1; --"]) {
      const ended = await backupManager(['restore', label, name], env);
      if (ended.status === 0) expect(await rowsOf(name)).toBe(5000);
      else expect(ended.stderr).toContain('Code: RESTORE_');
      expect(await rowsOf('shop')).toBe(5000);
    }
    expectBlock(await backupManager(['restore', label, 'two\nlines'], env), {
      ...{ status: 40, code: 'RESTORE_REFUSED', says: /name/ },
    });
  });

  test('a damaged file: verification names the check, and a restore leaves nothing behind', async () => {
    const { value } = await json(['create-backup']);
    const path = join(folder, 'backups', 'full', `${value.label}.sql.gz`);
    await truncate(`${path}.meta`, 100);
    const unlisted = await backupManager(['verify', value.label], env);
    expectBlock(unlisted, { status: 30, code: 'BACKUP_DAMAGED', says: /: manifest\./ });
    expect(unlisted.stderr).toContain(`backup-manager reindex ${value.label}`);
    expect(await backupManager(['reindex', value.label], env)).toMatchObject({ status: 0 });
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 1;
    await writeFile(path, bytes);
    expectBlock(await backupManager(['verify', value.label], env), { status: 30, code: 'BACKUP_DAMAGED', says: /file SHA-256/ });
    expect((await backupManager(['restore', value.label, 'damaged'], env)).status).not.toBe(0);
    expect(await query('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'damaged%'`)).toEqual([]);
    await truncate(path, 100);
    expect((await json(['list-backups'])).value.backups).toContainEqual(
      expect.objectContaining({ label: value.label, state: 'damaged' }),
    );
    for (const name of (await files()).filter((each) => each.startsWith(value.label))) {
      await rm(join(folder, 'backups', 'full', name));
    }
  });

  test('a database whose name is hostile is backed up under a name that is not', async () => {
    await query('postgres', `CREATE DATABASE "../so ""rude"`);
    const { status, value } = await json(['create-backup'], { POSTGRES_DB: '../so "rude' });
    expect({ status, label: value.label }).toEqual({
      status: 0,
      label: expect.stringMatching(/^backup_..%2Fso%20%22rude_\d{8}_\d{6}$/),
    });
    expect((await json(['verify', value.label])).status).toBe(0);
  });
});
