import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { pino } from 'pino';
import { assemble, type AssembleOptions, type Parts } from '../../src/assemble.ts';
import { healthParts } from '../../src/assemble/health-parts.ts';
import { systemClock, type Clock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import type { HealthCheck } from '../../src/health/check.ts';
import { createHealthCheck, type HealthOutcome } from '../../src/jobs/health-check.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { healthReportSchema } from '../../src/report/health-report-schema.ts';
import { statusSchema } from '../../src/report/source-status-schema.ts';
import type { StatusFile } from '../../src/report/source-status.ts';
import { createFaultyStorage } from '../../src/storage/faulty.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { backupManager, sourceSettings } from '../support/command.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startReceiver } from '../support/receiver.ts';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
// The newest: what the machine has otherwise is then too old for it.
const { binDirectory } = installedVersions().at(-1)!;
const configDirectory = fileURLToPath(new URL('../../config', import.meta.url));

let server: ThrowAwayServer;
let folder: string;
let backups: string;
let env: Record<string, string>;
let label: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'health-test-'));
  backups = join(folder, 'backups');
  await mkdir(join(folder, 'work'));
  await mkdir(backups);
  server = await startThrowAwayServer({ binDirectory });
  await query('CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS note FROM generate_series(1, 5000) i');
  env = {
    ...sourceSettings(server.connection),
    BACKUP_SOURCE_NAME: 'shop',
    BACKUP_DIR: backups,
    BACKUP_WORK_DIR: join(folder, 'work'),
    BACKUP_PROGRAM_DIRECTORIES: binDirectory,
  };
  label = await makeBackup();
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function query(sql: string): Promise<void> {
  await withClient(server.connection, (client) => client.query(sql));
}

function parts(more: Record<string, string> = {}, options: AssembleOptions = {}): Parts {
  return assemble(loadConfig({ env: { ...env, ...more }, configDirectory }), options);
}

const context = (clock: Clock = systemClock) => ({
  ...{ signal: new AbortController().signal, log: pino({ level: 'silent' }), clock },
});

/** Our clock, so many ms ahead of the server's. */
const ahead = (ms: number): Clock => ({ ...systemClock, now: () => new Date(Date.now() + ms) });

async function makeBackup(more: Record<string, string> = {}): Promise<string> {
  const outcome = await parts(more).nightlyBackup().run(context());
  return outcome.label ?? '';
}

async function look(more: Record<string, string> = {}, clock: Clock = systemClock): Promise<HealthOutcome> {
  return await parts(more).healthCheck().run(context(clock));
}

function find({ checks }: Pick<HealthOutcome, 'checks'>, name: string, object?: string): HealthCheck {
  const found = checks.filter((check) => check.check === name && check.object === object);
  expect(found).toHaveLength(1);
  return found[0]!;
}

const verdicts = ({ checks }: HealthOutcome) =>
  Object.fromEntries(checks.map(({ check, object, verdict }) => [object === undefined ? check : `${check} ${object}`, verdict]));

async function statusFile(): Promise<StatusFile> {
  return JSON.parse(await readFile(join(backups, 'logs', 'status.json'), 'utf8')) as StatusFile;
}

function dump(suffix = ''): string {
  return join(backups, 'full', `${label}.sql.gz${suffix}`);
}

describe('A source after its first backup', () => {
  let outcome: HealthOutcome;

  beforeAll(async () => {
    outcome = await look();
  });

  test('is well, and what is still to be done is a warning', () => {
    expect(verdicts(outcome)).toEqual({
      ...{ database: 'ok', 'client programs': 'ok', clock: 'ok', 'target local': 'ok', freshness: 'ok', 'copies local': 'ok' },
      ...{ proof: 'warn', 'recovery point': 'warn', 'last run': 'ok', backups: 'ok', sizes: 'ok', 'space local': 'ok' },
      ...{ permissions: 'ok', leftovers: 'ok', 'drill programs': 'ok', ledger: 'ok', replication: 'ok', alerts: 'warn' },
    });
    expect(outcome).toMatchObject({ outcome: 'success', exitStatus: 0, summary: { state: 'warn' } });
  });

  test('gets a report that fits its schema, has its entry in the ledger, and leaves no canary', async () => {
    const report = JSON.parse(await readFile(outcome.report!, 'utf8')) as unknown;
    expect(outcome.report).toMatch(/logs\/health_report_\d{8}_\d{6}(_\d+)?\.json$/);
    expect(report).toEqual(outcome.summary);
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(healthReportSchema);
    expect(validate(report) ? [] : validate.errors).toEqual([]);
    const ledger = await readFile(join(backups, 'logs', 'ledger.jsonl'), 'utf8');
    expect(ledger.trimEnd().split('\n').at(-1)).toContain('"job":"health-check"');
    // The next backup's head vouches for it.
    expect(await readdir(join(backups, 'ledger'))).toHaveLength(1);
    expect((await readdir(backups, { recursive: true })).filter((name) => name.includes('probe'))).toEqual([]);
  });

  test('is in status.json with all that monitoring needs', async () => {
    const status = await statusFile();
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(statusSchema);
    expect(validate(status) ? [] : validate.errors).toEqual([]);
    expect(status.sources['shop']).toMatchObject({
      newestGood: { label, state: 'complete', targets: ['local'] },
      goodBackups: 1,
      freshnessLimitMinutes: 26 * 60,
      rpo: { targetMinutes: 60, scheduleMinutes: 1440, minutes: expect.any(Number) },
      rto: { targetMinutes: 30 },
      health: { state: 'warn', checks: outcome.summary.checks },
      jobs: {
        'nightly-backup': { last: { outcome: 'success', label }, next: expect.stringMatching(/T02:00:00/) },
        'health-check': { last: { outcome: 'success', report: outcome.report }, next: expect.stringMatching(/:00:00/) },
      },
    });
  });
});

describe('What is wrong is seen', () => {
  test('a server that does not answer; what hangs on it is not called well', async () => {
    const outcome = await look({ POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' });
    expect(outcome).toMatchObject({ outcome: 'failure', exitStatus: 100, error: { code: 'UNHEALTHY' } });
    expect(find(outcome, 'database')).toMatchObject({ verdict: 'fail', hint: expect.any(String) });
    expect(find(outcome, 'clock')).toMatchObject({ verdict: 'warn', unchecked: true });
    // By the version that the newest backup names.
    expect(find(outcome, 'client programs')).toMatchObject({ verdict: 'ok' });
    expect((await statusFile()).sources['shop']!.health).toMatchObject({ state: 'fail' });
  });

  test('a clock that is wrong, a backup that is old', async () => {
    expect(find(await look({}, ahead(60_000)), 'clock')).toMatchObject({ verdict: 'warn', says: "60 s ahead of the server's" });
    const old = await look({}, ahead(3 * DAY));
    expect(find(old, 'clock')).toMatchObject({ verdict: 'fail' });
    expect(find(old, 'freshness')).toMatchObject({ verdict: 'fail', says: expect.stringContaining('3 d old') });
    expect(find(old, 'copies', 'local')).toMatchObject({ verdict: 'fail' });
    expect(find(await look({}, ahead(-HOUR)), 'freshness')).toMatchObject({ verdict: 'fail' });
  });

  test('programs that are not there: of backups, of the drill', async () => {
    const clients = join(folder, 'clients');
    await mkdir(clients);
    for (const name of ['pg_dump', 'pg_restore', 'pg_dumpall', 'psql'])
      await symlink(join(binDirectory, name), join(clients, name));
    const clientsOnly = await look({ BACKUP_PROGRAM_DIRECTORIES: clients });
    const none = await look({ BACKUP_PROGRAM_DIRECTORIES: '/nonexistent' });
    if (installedVersions().length < 2) {
      console.warn('not run: missing programs are not noticed where the only PostgreSQL is that of the machine');
      return;
    }
    expect(find(clientsOnly, 'client programs')).toMatchObject({ verdict: 'ok' });
    expect(find(clientsOnly, 'drill programs')).toMatchObject({ verdict: 'warn', hint: expect.stringContaining('postgresql-') });
    expect(find(none, 'client programs')).toMatchObject({ verdict: 'fail', hint: expect.stringContaining('Install') });
  });

  test('a dump that others may read, one that a group may', async () => {
    await chmod(dump(), 0o644);
    const open = find(await look(), 'permissions');
    await chmod(dump(), 0o640);
    const group = find(await look(), 'permissions');
    await chmod(dump(), 0o600);
    expect(open).toMatchObject({ verdict: 'fail', says: expect.stringContaining(`${dump()} (644)`) });
    expect(group).toMatchObject({ verdict: 'warn' });
  });

  test('what a killed run left', async () => {
    const left = join(backups, 'full', '.backup_shop_20200101_020000.sql.gz.0123456789abcdef.partial');
    await writeFile(left, 'half');
    expect(find(await look(), 'leftovers').verdict).toBe('ok');
    await utimes(left, 1000, 1000);
    expect(find(await look(), 'leftovers')).toMatchObject({ verdict: 'warn', says: expect.stringContaining(left) });
    await rm(left);
    const side = join(backups, 'full', 'backup_shop_20200101_020000.sql.gz.toc');
    await writeFile(side, 'side');
    await utimes(side, 1000, 1000);
    expect(find(await look(), 'leftovers')).toMatchObject({ verdict: 'warn', says: expect.stringContaining(side) });
    await rm(side);
  });

  test('a damaged dump, a lost manifest', async () => {
    const bytes = await readFile(dump());
    await truncate(dump(), 100);
    const damaged = await look();
    await writeFile(dump(), bytes);
    expect(find(damaged, 'backups')).toMatchObject({ verdict: 'fail', says: `1 damaged (${label})` });
    expect(find(damaged, 'freshness')).toMatchObject({ verdict: 'fail', says: 'there is no good backup' });
    const manifest = await readFile(dump('.meta'));
    await rm(dump('.meta'));
    const lost = await look();
    await writeFile(dump('.meta'), manifest, { mode: 0o600 });
    // It may be one that is just being stored.
    expect(find(lost, 'backups')).toMatchObject({ verdict: 'warn', says: `1 unindexed (${label})` });
  });

  test('a ledger that was changed: behind the last look, and before it', async () => {
    const path = join(backups, 'logs', 'ledger.jsonl');
    const job = parts().healthCheck();
    const run = async () => find(await job.run(context()), 'ledger');
    expect(await run()).toMatchObject({ verdict: 'ok' });
    const whole = await readFile(path, 'utf8');
    expect(await run()).toMatchObject({ verdict: 'ok', says: expect.stringMatching(/the last [12] of them read again/) });
    // The last one that was read, not the one that the last run has entered since.
    const lines = (await readFile(path, 'utf8')).split('\n');
    lines[lines.length - 3] = lines.at(-3)!.replace('"exitStatus":0', '"exitStatus":1');
    await writeFile(path, lines.join('\n'));
    expect(await run()).toMatchObject({ verdict: 'fail' });
    await writeFile(path, whole.slice(0, whole.length / 2));
    expect(await run()).toMatchObject({ verdict: 'fail' });
    await writeFile(path, whole);
    expect(find(await look(), 'ledger')).toMatchObject({ verdict: 'ok' });
  });

  test('a bucket that does not answer: it is told, and the local copy still counts', async () => {
    const outcome = await look({
      ...{ BACKUP_S3_BUCKET: 'nowhere', BACKUP_S3_ENDPOINT: 'http://127.0.0.1:1', AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'secret-of-the-bucket', BACKUP_STORAGE_ATTEMPTS: '1' },
    });
    expect(find(outcome, 'target', 's3')).toMatchObject({ verdict: 'fail' });
    expect(find(outcome, 'copies', 's3')).toMatchObject({ verdict: 'fail', unchecked: true });
    expect(find(outcome, 'leftovers')).toMatchObject({ verdict: 'warn', unchecked: true });
    expect(find(outcome, 'target', 'local')).toMatchObject({ verdict: 'ok' });
    expect(find(outcome, 'freshness')).toMatchObject({ verdict: 'ok' });
    expect(JSON.stringify(outcome.summary)).not.toContain('secret-of-the-bucket');
  });

  test('a target that hangs is given up, and the others are looked at', async () => {
    const stall = (inner: Storage) =>
      createFaultyStorage(inner, [
        { operation: 'probe', kind: 'stall' },
        { operation: 'list', kind: 'stall' },
      ]);
    const decorate = <T extends Storage>(target: T): T => (target.name === 's3' ? (stall(target) as unknown as T) : target);
    const s3 = {
      ...{ BACKUP_S3_BUCKET: 'nowhere', BACKUP_S3_ENDPOINT: 'http://127.0.0.1:1', AWS_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
    };
    const own = parts(s3, { decorate });
    const { connection, findPrograms, reports, version, alerting } = own;
    const limits = { intervalMs: 1000, lagMs: 1000, rpoMs: 1000, keptBytes: 1000, synchronous: false };
    const wal = { enabled: false, source: 'shop', connection, slot: 's', targets: [], folder, limits, baseLimitMs: DAY };
    const given = { connection, findPrograms, reports, version, alerting, wal, evidence: own.evidence() };
    const made = { ...healthParts(own.config, own.status, given), timeoutMs: 1000 };
    const outcome = await createHealthCheck(made).run(context());
    expect(find(outcome, 'target', 's3')).toMatchObject({ verdict: 'fail', says: 'no answer within 1 s' });
    expect(find(outcome, 'freshness')).toMatchObject({ verdict: 'ok' });
  });

  testWithMounts('a disk without room for the next backup', async () => {
    const small = join(folder, 'small');
    await withMount(small, 'size=4m', async () => {
      const more = { BACKUP_DIR: small };
      await makeBackup(more);
      expect(find(await look(more), 'space', 'local').verdict).toBe('ok');
      const free = await parts(more).targets[0]!.free!();
      await writeFile(join(small, 'ballast'), Buffer.alloc(free - 40_000));
      const full = await look(more);
      expect(find(full, 'space', 'local')).toMatchObject({ verdict: 'fail', hint: expect.stringContaining('retention') });
    });
  });

  test('a run that failed while the newest backup is still fresh', async () => {
    const logs = join(backups, 'logs');
    const before = await readdir(logs);
    await makeBackup({ POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' });
    expect(find(await look(), 'last run')).toMatchObject({ verdict: 'warn', says: expect.stringContaining('failure') });
    expect((await statusFile()).sources['shop']!.jobs['nightly-backup']!.last).toMatchObject({
      outcome: 'failure',
      exitStatus: 10,
    });
    expect((await readdir(logs)).length).toBeGreaterThan(before.length);
  });

  test('tables that lost more than half of their rows, or all', async () => {
    await query('DELETE FROM orders WHERE id > 500');
    label = await makeBackup();
    expect(find(await look(), 'sizes')).toMatchObject({ verdict: 'warn', says: expect.stringContaining('500 rows') });
    await query('TRUNCATE orders');
    label = await makeBackup();
    expect(find(await look(), 'sizes')).toMatchObject({ verdict: 'fail', says: expect.stringContaining('empty') });
  });

  test('a drill that is too long ago', async () => {
    const drills = join(backups, 'restore-tests');
    await mkdir(drills, { recursive: true });
    const drill = async (age: number, status: string) => {
      const at = new Date(Date.now() - age);
      const stamp = at.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
      const says = { drill_timestamp: at.toISOString(), status, source: 'shop', backup: { label }, restore_duration_minutes: 2 };
      await writeFile(join(drills, `monthly_drill_${stamp}.json`), JSON.stringify(says));
    };
    await drill(36 * DAY, 'success');
    // A later one that proved nothing does not count.
    await drill(DAY, 'inconclusive');
    expect(find(await look(), 'proof')).toMatchObject({ verdict: 'fail', says: expect.stringContaining('36 d ago') });
    await drill(2 * DAY, 'success');
    expect(find(await look(), 'proof')).toMatchObject({ verdict: 'ok' });
    expect((await statusFile()).sources['shop']).toMatchObject({ newestProven: { label }, rto: { minutes: 2 } });
  });

  test('each failing check is told once, and once that it is over', async () => {
    const receiver = await startReceiver();
    try {
      const heard = () =>
        receiver.requests.map(({ body }) => {
          const { status, job, kind, object } = JSON.parse(body) as Record<string, string>;
          return `${status} ${job} ${kind} ${object}`;
        });
      const hook = { BACKUP_WEBHOOK_URL: receiver.url };
      const wrong = { ...hook, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' };
      await look(wrong);
      await look(wrong);
      expect(heard().filter((each) => each.includes('database'))).toEqual(['problem health-check unhealthy database']);
      await look(hook);
      await look(hook);
      expect(heard().filter((each) => each.includes('database'))).toEqual([
        'problem health-check unhealthy database',
        'recovery health-check unhealthy database',
      ]);
    } finally {
      await receiver.stop();
    }
  });
});

describe('The health check of a container', () => {
  const check = (...args: string[]) => backupManager(['healthcheck', ...args], env);

  beforeEach(async () => {
    await look();
  });

  test('passes while every source is fresh, whatever else is to be looked at, and without a server', async () => {
    expect(await check()).toEqual({ status: 0, stdout: 'healthy\n', stderr: '' });
    const other = { ...env, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' };
    expect((await backupManager(['healthcheck', '--json'], other)).stdout).toBe('{\n  "healthy": true,\n  "problems": []\n}\n');
  });

  test('fails when nobody has looked for too long, or never', async () => {
    const path = join(backups, 'logs', 'status.json');
    const status = await statusFile();
    const stale = { ...status.sources['shop'], staleAfter: '2026-01-01T00:00:00.000Z' };
    await writeFile(path, JSON.stringify({ ...status, sources: { shop: stale } }));
    expect(await check()).toMatchObject({ status: 1, stdout: expect.stringContaining('stale') });
    await writeFile(path, 'not JSON');
    expect(await check()).toMatchObject({ status: 1 });
    await rm(path);
    expect(await check()).toMatchObject({ status: 1, stdout: expect.stringContaining('no status.json') });
    expect((await backupManager(['healthcheck'], { ...env, BACKUP_SOURCE_NAME: 'other' })).status).toBe(1);
  });

  test('fails when the newest backup is too old, or gone from the directory', async () => {
    const path = join(backups, 'logs', 'status.json');
    const status = await statusFile();
    const old = { ...status.sources['shop'], freshnessLimitMinutes: 0.000001 };
    await writeFile(path, JSON.stringify({ ...status, sources: { shop: old } }));
    expect(await check()).toMatchObject({ status: 1, stdout: expect.stringMatching(/newest good backup is .* old/) });
    await writeFile(path, JSON.stringify(status));
    const manifest = await readFile(dump('.meta'));
    await rm(dump('.meta'));
    expect(await check()).toMatchObject({ status: 1, stdout: expect.stringContaining(`${label} is gone`) });
    await writeFile(dump('.meta'), manifest, { mode: 0o600 });
    expect((await check()).status).toBe(0);
  });

  test('--live fails where no daemon shows that it lives', async () => {
    expect(await check('--live')).toMatchObject({ status: 1, stdout: expect.stringContaining('daemon') });
    const beat = join(backups, 'logs', 'heartbeat');
    await writeFile(beat, '');
    expect((await check('--live')).status).toBe(0);
    await utimes(beat, 1000, 1000);
    expect((await check('--live')).status).toBe(1);
    await rm(beat);
  });

  test('`health` shows the same as the report and ends with its exit status', async () => {
    const wrong = { ...env, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: '1' };
    const failed = await backupManager(['health', '--json'], wrong);
    expect(failed.status).toBe(100);
    expect(JSON.parse(failed.stdout)).toMatchObject({
      healthy: false,
      sources: [
        { source: 'shop', checks: expect.arrayContaining([expect.objectContaining({ check: 'database', verdict: 'fail' })]) },
      ],
    });
    const { stdout } = await backupManager(['health'], wrong);
    expect(stdout).toMatch(/^shop: \d failed, .*\n.*CHECK.*\nFAIL\s+database /);
    expect(stdout).toMatch(/What to do about database: \S/);
  });
});
