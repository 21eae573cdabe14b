import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { isGood } from '../../src/catalog/backup.ts';
import { listBackups } from '../../src/catalog/catalog.ts';
import { SIDE } from '../../src/catalog/names.ts';
import { pinBackup } from '../../src/catalog/pins.ts';
import { systemClock } from '../../src/clock.ts';
import type { WeeklyCleanupParts } from '../../src/jobs/cleanup-parts.ts';
import { lockDirectory } from '../../src/jobs/directory-lock.ts';
import type { JobContext } from '../../src/jobs/job.ts';
import { createWeeklyCleanup } from '../../src/jobs/weekly-cleanup.ts';
import { createLog } from '../../src/log.ts';
import { cleanupReportSchema } from '../../src/report/cleanup-report-schema.ts';
import type { CleanupReport } from '../../src/report/cleanup-report.ts';
import type { RetentionRules } from '../../src/retention/stored-backup.ts';
import { createDiskStorage, type DiskStorage } from '../../src/storage/disk.ts';
import { createFaultyStorage } from '../../src/storage/faulty.ts';
import { createS3Storage, type S3Storage } from '../../src/storage/s3.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { backupManager } from '../support/command.ts';
import { keysOf, sha256Of } from '../support/content.ts';
import { putBytes } from '../support/make-backup.ts';
import { startS3Server } from '../support/s3-server.ts';
import { MEMBER_BYTES, storeSample, type StoredSample } from '../support/stored-backups.ts';

const MORTAL = fileURLToPath(new URL('../support/mortal-cleanup.ts', import.meta.url));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Everything that is stored now is older than a day by then. */
const NOW = new Date(Math.ceil(Date.now() / DAY) * DAY + 2 * DAY + 3 * HOUR);
const RULES: RetentionRules = { days: 7, daily: 0, weekly: 0, monthly: 0, yearly: 0, minimum: 3 };
const night = (ago: number) => new Date(NOW.getTime() - HOUR - ago * DAY);

const server = await startS3Server();
const suite = server ? describe : describe.skip;
let folder: string;
let local: DiskStorage;
let s3: S3Storage;
let client: S3Client;
let buckets = 0;
const open: S3Storage[] = [];

beforeAll(() => {
  if (server) client = server.client();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cleanup-test-'));
  local = createDiskStorage({ name: 'local', root: folder });
  if (server) s3 = await bucket();
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});
afterAll(async () => {
  for (const storage of open) storage.close();
  if (server) client.destroy();
  await server?.stop();
});

async function bucket(options: { readonly lock?: boolean } = {}): Promise<S3Storage> {
  buckets += 1;
  const name = `cleanup-${buckets}`;
  await client.send(
    new CreateBucketCommand({ Bucket: name, ...(options.lock === true && { ObjectLockEnabledForBucket: true }) }),
  );
  const storage = createS3Storage({ name: 's3', bucket: name, prefix: 'p', ...server! });
  open.push(storage);
  return storage;
}

const bucketName = () => `cleanup-${buckets}`;
const objectName = (key: string) => `p/${key}`;

function partsOf(
  targets: readonly Storage[],
  changes: Partial<WeeklyCleanupParts> & { rules?: Record<string, RetentionRules> } = {},
) {
  const { rules = {}, ...rest } = changes;
  const parts: WeeklyCleanupParts = {
    source: 'shop',
    elsewhere: () => false,
    sources: [
      { name: 'shop', freshnessLimitMs: 26 * HOUR, rules: new Map(targets.map(({ name }) => [name, rules[name] ?? RULES])) },
    ],
    targets,
    spool: local,
    workFolder: folder,
    reports: [{ storage: local, prefix: 'logs/', underLock: true }],
    drillReports: targets.map((storage) => ({ storage, prefix: 'restore-tests/' })),
    reportRules: { years: 7, hourlyDays: 31 },
    scrub: { budgetBytes: 0 },
    repair: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
    stallTimeoutMs: 30_000,
    lockWaitMs: 0,
    redact: (text) => text,
    version: '0.0.0',
    ...rest,
  };
  return parts;
}

function context(changes: Partial<JobContext> = {}): JobContext {
  const clock = { now: () => NOW, monotonic: () => systemClock.monotonic() };
  return { signal: new AbortController().signal, log: createLog('silent'), clock, ...changes };
}

/** Runs a clean-up and checks the report that it stores. */
async function run(parts: WeeklyCleanupParts, changes: Partial<JobContext> = {}): Promise<CleanupReport> {
  const { summary, report } = await createWeeklyCleanup(parts).run(context(changes));
  const stored = JSON.parse(await readFile(report!, 'utf8'));
  expect(stored).toEqual(JSON.parse(JSON.stringify(summary)));
  const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(cleanupReportSchema);
  expect(validate(stored) ? [] : validate.errors).toEqual([]);
  await rm(report!);
  return summary;
}

const preview = async (parts: WeeklyCleanupParts) => (await createWeeklyCleanup(parts).preview(context())).summary;

const going = ({ backups }: CleanupReport) =>
  backups.filter(({ action }) => action === 'remove').map(({ target, label }) => `${target} ${label}`);
const good = async (targets: readonly Storage[]) =>
  (await listBackups(targets)).backups.flatMap((backup) =>
    isGood(backup) ? backup.copies.filter(({ state }) => state === 'whole').map(({ target }) => `${target} ${backup.label}`) : [],
  );
const everything = async (...targets: Storage[]) =>
  Promise.all(targets.map(async (target) => (await keysOf(target)).filter((key) => !key.startsWith('logs/'))));

async function nights(targets: readonly Storage[], ...ago: readonly number[]): Promise<StoredSample[]> {
  const stored: StoredSample[] = [];
  for (const each of ago) stored.push(await storeSample(targets, night(each)));
  return stored;
}

suite('the clean-up', () => {
  test('removes on each target what its rules do not keep, says so before, and touches nothing in a dry run', async () => {
    const [, , , tenth, pinned, proven, oldest] = await nights([local, s3], 0, 1, 6, 10, 20, 40, 50);
    const stranger = await storeSample([local, s3], night(90), { source: 'archive' });
    const unindexed = await storeSample([s3], night(91), { manifest: false });
    await pinBackup([s3], pinned!.key, { pinnedAt: NOW.toISOString(), reason: 'before the migration' });
    const drill = { status: 'success', backup: { label: proven!.label } };
    await putBytes(s3, 'restore-tests/monthly_drill_20260104_040000.json', Buffer.from(JSON.stringify(drill)));
    await putBytes(s3, 'restore-tests/monthly_drill_20260104_040000.html', Buffer.from('<p>'));
    await putBytes(local, 'restore-tests/monthly_drill_20260105_040000.json', Buffer.from('{'));

    const parts = partsOf([local, s3], { rules: { s3: { ...RULES, days: 14 } } });
    const before = await everything(local, s3);
    const foreseen = await preview(parts);
    expect(foreseen.dryRun).toBe(true);
    expect(await everything(local, s3)).toEqual(before);
    expect(await readdir(folder)).not.toContain('logs');
    expect(going(foreseen)).toEqual([`local ${tenth!.label}`, `local ${oldest!.label}`, `s3 ${oldest!.label}`]);

    const done = await run(parts);
    const plain = ({ backups }: CleanupReport) => backups.map(({ result: _, ...each }) => each);
    expect(plain(done)).toEqual(plain(foreseen));
    // The report that is not JSON is worth a look.
    expect(done).toMatchObject({
      outcome: 'incomplete',
      warnings: [expect.stringContaining('monthly_drill_20260105_040000.json')],
    });
    expect(done.unconfigured).toEqual(['archive']);
    expect(done.removed).toEqual({ copies: 3, bytes: 3 * 4 * MEMBER_BYTES });
    const reasons = (target: string, label: string) =>
      done.backups.find((each) => each.target === target && each.label === label)?.reasons.map(({ rule }) => rule);
    expect(reasons('local', pinned!.label)).toEqual(['pinned']);
    expect(reasons('s3', proven!.label)).toEqual(['newest-proven']);
    expect(reasons('s3', stranger.label)).toEqual(['not-configured']);
    expect(reasons('s3', unindexed.label)).toEqual(['no-manifest']);
    expect(going(await preview(parts))).toEqual([]);
    for (const [target, label] of [
      ['local', tenth!.label],
      ['local', oldest!.label],
      ['s3', oldest!.label],
    ] as const) {
      expect((target === 'local' ? await keysOf(local) : await keysOf(s3)).filter((key) => key.includes(label))).toEqual([]);
    }
    expect(await keysOf(s3, unindexed.key)).toContain(unindexed.key);
  });

  test('removes nothing while new backups do not arrive, or a target cannot say what it has', async () => {
    await nights([local, s3], 2, 3, 4, 20, 30);
    const before = await everything(local, s3);
    const stale = await run(partsOf([local, s3]));
    expect(stale).toMatchObject({ outcome: 'incomplete', exitStatus: 3, removed: { copies: 0 } });
    expect(stale.blocks.map(({ target, obstacle }) => [target, obstacle])).toEqual([
      ['local', 'stale'],
      ['s3', 'stale'],
    ]);
    expect(stale.error?.message).toMatch(/nothing of shop was removed from local: the newest good backup here, .*, is 49 h old/);

    // Fresh on the disk, not in the bucket.
    await nights([local], 0);
    const half = await run(partsOf([local, s3]));
    expect(half.blocks.map(({ target }) => target)).toEqual(['s3']);
    expect(going(half).every((each) => each.startsWith('local '))).toBe(true);

    await nights([local, s3], 0.1, 25);
    const now = await everything(local, s3);
    const away = createS3Storage({ name: 's3', bucket: 'absent', ...server! });
    open.push(away);
    expect(await run(partsOf([local, away]))).toMatchObject({
      outcome: 'failure',
      error: { code: 'STORAGE_MISSING' },
      backups: [],
    });
    const empty = await bucket();
    expect(await run(partsOf([local, empty]))).toMatchObject({
      outcome: 'failure',
      error: { code: 'STORAGE_FAILED', message: expect.stringContaining('s3 shows no backup at all') },
    });
    await mkdir(join(folder, 'logs'), { recursive: true });
    const failed = {
      job: 'nightly-backup',
      source: 'shop',
      outcome: 'failure',
      startedAt: 'today',
      error: { message: 'disk full' },
    };
    await writeFile(join(folder, 'logs', 'backup_report_20260101_020000.json'), JSON.stringify(failed));
    const blocked = await run(partsOf([local, s3]));
    expect(blocked.blocks.map(({ obstacle }) => obstacle)).toEqual(['last-run', 'last-run']);
    expect(await everything(local, s3)).toEqual(now);
    expect(before[1]).toEqual((await everything(s3))[0]!.filter((key) => before[1]!.includes(key)));
  });

  test('does nothing beside a backup of the same directory, or waits for its end', async () => {
    await nights([local], 0, 1, 2, 20);
    const before = await everything(local);
    const lock = await lockDirectory(folder);
    expect(await run(partsOf([local]))).toMatchObject({ outcome: 'failure', exitStatus: 60, error: { code: 'LOCKED' } });
    expect(await everything(local)).toEqual(before);
    const waiting = run(partsOf([local], { lockWaitMs: 60_000 }), { slot: NOW });
    await lock.release();
    expect(await waiting).toMatchObject({ outcome: 'success', removed: { copies: 1 }, slot: NOW.toISOString() });
  });

  test('leaves what Object Lock protects, says until when, and keeps old versions', async () => {
    s3 = await bucket({ lock: true });
    const [, , , locked, held, free] = await nights([s3], 0, 1, 2, 10, 11, 12);
    const lockedUntil = new Date(NOW.getTime() + 30 * DAY);
    const at = (key: string) => ({ Bucket: bucketName(), Key: objectName(key) });
    const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: lockedUntil } as const;
    await client.send(new PutObjectRetentionCommand({ ...at(locked!.key + SIDE.toc), Retention }));
    await client.send(
      new PutObjectRetentionCommand({ ...at(free!.key), Retention: { ...Retention, RetainUntilDate: night(1) } }),
    );
    await client.send(new PutObjectLegalHoldCommand({ ...at(held!.key), LegalHold: { Status: 'ON' } }));
    const done = await run(partsOf([s3]));
    expect(done).toMatchObject({ outcome: 'success', removed: { copies: 1 } });
    const results = done.backups.filter(({ action }) => action === 'remove');
    expect(
      results.map(({ label, result, legalHold, oldVersionsStay }) => ({ label, result, legalHold, oldVersionsStay })),
    ).toEqual([
      { label: locked!.label, result: 'locked' },
      { label: held!.label, result: 'locked', legalHold: true },
      { label: free!.label, result: 'removed', oldVersionsStay: true },
    ]);
    expect(Date.parse(results[0]!.lockedUntil!)).toBe(lockedUntil.getTime());
    expect(await good([s3])).toHaveLength(5);
    const { Versions = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucketName(), Prefix: objectName(free!.key) }),
    );
    expect(Versions.map(({ Key }) => Key)).toContain(objectName(free!.key));
  });

  test('removes from a bucket with versions what was written more than once', async () => {
    await client.send(new PutBucketVersioningCommand({ Bucket: bucketName(), VersioningConfiguration: { Status: 'Enabled' } }));
    await nights([s3], 0, 1, 2, 10, 10);
    expect(await run(partsOf([s3]))).toMatchObject({ outcome: 'success', removed: { copies: 1 } });
    expect(await good([s3])).toHaveLength(3);
    expect(await keysOf(s3, 'full/')).toHaveLength(12);
  });

  test('sweeps what killed runs left more than a day ago, and no dump', async () => {
    const [newest] = await nights([local, s3], 0, 1, 2);
    const key = newest!.key.replace(/_\d{8}_/, '_20260101_');
    const old = new Date(NOW.getTime() - 2 * DAY);
    for (const suffix of [SIDE.toc, SIDE.globals]) await putBytes(s3, key + suffix, Buffer.alloc(3));
    await putBytes(local, key + SIDE.toc, Buffer.alloc(3));
    const young = key.replace('_20260101_', '_20260102_') + SIDE.toc;
    await putBytes(local, young, Buffer.alloc(3));
    await utimes(local.location(young), NOW, NOW);
    await mkdir(join(folder, 'logs'), { recursive: true });
    const partial = (name: string) => join(folder, `${name}.0123456789abcdef.partial`);
    await writeFile(partial('logs/.backup_report_x.json'), '');
    await writeFile(partial('full/.backup_shop_20260101_020000.sql.gz'), '');
    await writeFile(partial('full/.backup_archive_20260101_020000.sql.gz'), '');
    for (const name of [
      'logs/.backup_report_x.json',
      'full/.backup_shop_20260101_020000.sql.gz',
      'full/.backup_archive_20260101_020000.sql.gz',
    ]) {
      await utimes(partial(name), old, old);
    }
    const unindexed = await storeSample([local], night(30), { manifest: false });
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucketName(), Key: objectName(key) }));
    const theirs = await storeSample([local], night(31), { source: 'archive', manifest: false });
    await local.remove(theirs.key);

    const { swept, outcome } = await run(partsOf([local, s3]));
    expect(outcome).toBe('success');
    expect(swept.map((location) => location.replace(/^.*\/(?=(full|logs)\/)/, '')).sort()).toEqual(
      [
        ...[key + SIDE.globals, key + SIDE.toc, key + SIDE.toc, key],
        'logs/.backup_report_x.json.0123456789abcdef.partial',
        'full/.backup_shop_20260101_020000.sql.gz.0123456789abcdef.partial',
      ].sort(),
    );
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucketName() }));
    expect(Uploads).toEqual([]);
    const left = await keysOf(local, 'full/');
    expect(left).toEqual(expect.arrayContaining([unindexed.key, young, theirs.key + SIDE.toc]));
    expect(await good([local, s3])).toHaveLength(6);
  });

  test('counts a copy as removed once: in the run that takes the marker of its removal', async () => {
    const [, , , doomed] = await nights([local, s3], 0, 1, 2, 20);
    const stuck = createFaultyStorage(local, [{ operation: 'remove', kind: 'fail', key: /\.expired$/ }]);
    const mine = ({ backups }: CleanupReport) =>
      backups.filter(({ label }) => label === doomed!.label).map(({ target, result }) => `${target} ${result}`);
    // While the other target holds the dump, and when none does any more: it makes no difference.
    for (const [rules, says] of [
      [{ ...RULES, days: 30 }, ['local failed', 's3 undefined']],
      [RULES, ['local failed', 's3 removed']],
      [RULES, ['local failed']],
    ] as const) {
      const failed = await run(partsOf([stuck, s3], { rules: { s3: rules } }));
      expect({ outcome: failed.outcome, mine: mine(failed), swept: failed.swept }).toEqual({
        ...{ outcome: 'incomplete', mine: says, swept: [] },
      });
      expect(failed.removed.copies).toBe(says.filter((each) => each.endsWith('removed')).length);
      expect(await keysOf(local, doomed!.key)).toEqual([doomed!.key + SIDE.expired]);
      const { backups } = await listBackups([local]);
      expect(backups.find(({ key }) => key === doomed!.key)?.state).toBe('expired');
    }
    expect(await run(partsOf([local, s3]))).toMatchObject({ outcome: 'success', removed: { copies: 1 }, swept: [] });
    expect(await keysOf(local, doomed!.key)).toEqual([]);
    expect(await run(partsOf([local, s3]))).toMatchObject({ outcome: 'success', removed: { copies: 0 } });
  });

  test('thins out reports, each noted before it goes', async () => {
    await nights([local], 0, 1, 2);
    const put = async (name: string, says: object = {}) => putBytes(local, name, Buffer.from(JSON.stringify(says)));
    await put('logs/backup_report_20180101_020000.json');
    await put('logs/backup_report_20260101_020000.json', { source: 'shop', outcome: 'success', startedAt: 'x' });
    await put('logs/health_report_20260101_010000.json', { status: 'ok' });
    await put('logs/health_report_20260101_020000.json', { status: 'fail' });
    await put('logs/health_report_20260101_030000.json', { status: 'ok' });
    await put('logs/ledger.jsonl');
    const noted: [readonly string[], string, boolean][] = [];
    const recordRemovedReports = async (locations: readonly string[], why: string) => {
      const there = (await keysOf(local, 'logs/')).filter((key) => locations.includes(local.location(key)));
      noted.push([locations.map((each) => each.slice(folder.length + 1)), why, there.length === locations.length]);
    };
    const refuse = async () => Promise.reject(new Error('the ledger is full'));
    const refused = await run(partsOf([local], { recordRemovedReports: refuse }));
    expect(refused).toMatchObject({ outcome: 'incomplete', reports: { removed: [] } });
    expect(refused.warnings[0]).toMatch(/the ledger is full/);
    const { reports, outcome } = await run(partsOf([local], { recordRemovedReports }));
    expect(outcome).toBe('success');
    expect(noted).toEqual([
      [['logs/backup_report_20180101_020000.json'], 'it is older than 7 years', true],
      [['logs/health_report_20260101_010000.json'], 'it is older than 31 days, and a later one of its day stays', true],
    ]);
    expect(reports.removed.map(({ rule }) => rule)).toEqual(['years', 'hourly']);
    expect(reports.kept).toBe(3);
    expect(await keysOf(local, 'logs/')).toEqual([
      'logs/backup_report_20260101_020000.json',
      'logs/health_report_20260101_020000.json',
      'logs/health_report_20260101_030000.json',
      'logs/ledger.jsonl',
    ]);
  });
});

suite('a clean-up that dies of SIGKILL', () => {
  test('leaves nothing that looks good and is not, and the next one finishes it', async () => {
    const now = Date.now();
    const stored: StoredSample[] = [];
    for (const ago of [0.02, 1, 2, 20]) stored.push(await storeSample([local, s3], new Date(now - ago * DAY)));
    const doomed = stored.at(-1)!;
    const env = {
      ...{ POSTGRES_DB: 'shop', BACKUP_DIR: folder, BACKUP_WORK_DIR: folder, SCRUB_MEBIBYTES: '0', BACKUP_S3_PREFIX: 'p' },
      ...{ BACKUP_S3_BUCKET: bucketName(), BACKUP_S3_ENDPOINT: server!.endpoint, AWS_REGION: server!.region },
      ...{ AWS_ACCESS_KEY_ID: server!.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: server!.credentials.secretAccessKey },
    };
    const moments = ['s3', 'local'].flatMap((target) => [
      `${target} after put ${doomed.key}${SIDE.expired}`,
      `${target} after remove ${doomed.key}${SIDE.manifest}`,
      `${target} before remove ${doomed.key}${SIDE.expired}`,
    ]);
    for (const moment of moments) {
      const child = spawn(process.execPath, [MORTAL, moment], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...BARE_ENVIRONMENT, ...env },
      });
      expect([moment, ...((await once(child, 'close')) as unknown[])]).toEqual([moment, null, 'SIGKILL']);
      for (const backup of (await listBackups([local, s3])).backups.filter(isGood)) {
        for (const copy of backup.copies.filter(({ state }) => state === 'whole')) {
          const target = copy.target === 'local' ? local : s3;
          for (const { name, sha256 } of [backup.manifest!.file, backup.manifest!.side.toc!, backup.manifest!.side.globals!]) {
            expect([moment, name, await sha256Of(target.get(`full/${name}`))]).toEqual([moment, name, sha256]);
          }
        }
      }
      expect(await good([local, s3])).toHaveLength(moment.startsWith('s3') ? 7 : 6);
    }
    const child = spawn(process.execPath, [MORTAL, ''], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...BARE_ENVIRONMENT, ...env },
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(JSON.parse(text)).toMatchObject({ outcome: 'success', removed: { copies: 1 }, swept: [] });
    for (const target of [local, s3]) expect((await keysOf(target)).filter((key) => key.startsWith(doomed.key))).toEqual([]);
    expect(await good([local, s3])).toHaveLength(6);
  });
});

suite('the scrub', () => {
  async function damage(storage: DiskStorage, key: string, at: number): Promise<void> {
    const bytes = await readFile(storage.location(key));
    bytes[at]! ^= 1;
    await writeFile(storage.location(key), bytes);
  }
  const scrubbing = (targets: readonly Storage[], budgetBytes = 1_000_000) => partsOf(targets, { scrub: { budgetBytes } });

  test('finds every damaged file of a copy, names the table, and mends it from a good copy', async () => {
    const [first, second, third] = await nights([local, s3], 0, 1, 2);
    await damage(local, first!.key, 2 * MEMBER_BYTES + 5);
    await damage(local, first!.key + SIDE.toc, 1);
    await local.remove(second!.key + SIDE.manifest);
    await writeFile(local.location(third!.key), 'cut');
    const before = await run(scrubbing([local, s3]));
    expect(before).toMatchObject({ outcome: 'incomplete', exitStatus: 3 });
    const [disk, inBucket] = before.scrub;
    const of = (label: string) => disk!.checked.find((each) => each.label === label)!;
    expect(of(first!.label)).toMatchObject({ verdict: 'damaged', repairedFrom: 's3' });
    expect(of(first!.label).problems).toEqual([
      `${first!.label}.sql.gz.toc has other bytes`,
      'rows of public.orders differ from what was stored (bytes 2000 to 3000)',
    ]);
    expect(of(second!.label)).toMatchObject({
      verdict: 'damaged',
      repairedFrom: 's3',
      problems: [expect.stringMatching(/\.meta/)],
    });
    expect(of(third!.label)).toMatchObject({ verdict: 'damaged', repairedFrom: 's3', problems: ['3 bytes instead of 4000'] });
    expect(inBucket!.checked.map(({ verdict }) => verdict)).toEqual(['passed', 'passed', 'passed']);
    const after = await run(scrubbing([local, s3]));
    expect(after).toMatchObject({ outcome: 'success' });
    expect(after.scrub.flatMap(({ checked }) => checked.map(({ verdict }) => verdict))).toEqual(Array(6).fill('passed'));
    expect(await good([local, s3])).toHaveLength(6);
  });

  test('leaves alone what is damaged everywhere, counts on it no more, and lets nothing go while the newest is', async () => {
    const [newest, ...older] = await nights([local, s3], 0, 1, 2, 3, 20);
    await damage(local, newest!.key, 5);
    await s3.remove(newest!.key);
    await putBytes(s3, newest!.key, Buffer.alloc(4 * MEMBER_BYTES));
    const before = await readFile(local.location(newest!.key));
    const done = await run(scrubbing([local, s3]));
    expect(done).toMatchObject({ outcome: 'failure', exitStatus: 30, error: { code: 'BACKUP_DAMAGED' }, removed: { copies: 0 } });
    expect(done.blocks.map(({ obstacle }) => obstacle)).toEqual(['newest-failed', 'newest-failed']);
    expect(done.scrub[0]!.checked[0]).toMatchObject({ verdict: 'damaged', error: { code: 'BACKUP_DAMAGED' } });
    expect((await readFile(local.location(newest!.key))).equals(before)).toBe(true);
    expect((await keysOf(s3)).filter((key) => key.includes(older.at(-1)!.label))).toHaveLength(4);
    // What is known to be damaged is not forgotten when nothing is re-read.
    const next = await preview(partsOf([local, s3]));
    expect(next.blocks).toHaveLength(2);
  });

  test('goes round within its budget: newest first, in pieces, then what was read longest ago', async () => {
    await nights([local], 0, 1, 2);
    const seen: string[] = [];
    let runs = 0;
    for (; runs < 12; runs += 1) {
      const { scrub, outcome } = await run(scrubbing([local], MEMBER_BYTES + 100), {
        clock: { now: () => new Date(NOW.getTime() + runs * 1000), monotonic: () => systemClock.monotonic() },
      });
      expect(outcome).toBe('success');
      expect(scrub[0]!.readBytes).toBeLessThan(2.2 * MEMBER_BYTES);
      for (const { label, verdict } of scrub[0]!.checked) if (verdict === 'passed') seen.push(label.slice(12));
      if (seen.length === 4) break;
    }
    const labels = [0, 1, 2].map((ago) => night(ago).toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_'));
    expect(seen).toEqual([...labels, labels[0]]);
    const state = JSON.parse(await readFile(join(folder, 'logs', 'scrub_state.json'), 'utf8'));
    expect(Object.keys(state.copies.local)).toHaveLength(3);
  });

  test('goes on after an abort where it was', async () => {
    await nights([local], 0, 1);
    const abort = new AbortController();
    abort.abort();
    const aborted = await run(scrubbing([local]), { signal: abort.signal });
    expect(aborted).toMatchObject({ outcome: 'aborted', exitStatus: 130 });
    expect(await run(scrubbing([local]))).toMatchObject({ outcome: 'success', scrub: [{ neverChecked: 0 }] });
  });
});

describe('backup-manager', () => {
  test('shows what would go and what stays, pins and unpins, and cleans up', async () => {
    const now = Date.now();
    const samples: StoredSample[] = [];
    for (const ago of [0.02, 1, 2, 20, 30]) samples.push(await storeSample([local], new Date(now - ago * DAY)));
    const labels = samples.map(({ label }) => label);
    const env = { POSTGRES_DB: 'shop', BACKUP_DIR: folder, BACKUP_WORK_DIR: folder };
    const pinned = await backupManager(['pin', labels[3]!, '--reason', 'before the migration'], env);
    expect(pinned).toMatchObject({ status: 0, stdout: expect.stringMatching(/is pinned on local/) });
    const dry = await backupManager(['cleanup', '--dry-run'], env);
    expect(dry.status).toBe(0);
    const line = (label: string) => dry.stdout.split('\n').find((each) => each.includes(label))!;
    expect(line(labels[0]!)).toMatch(
      /^local +\S+ +stays +it is the newest good backup here; at least 3 stay.*; it is not older than 7 days$/,
    );
    expect(line(labels[3]!)).toMatch(/stays +it is pinned: before the migration$/);
    expect(line(labels[4]!)).toMatch(/goes +it is 30 days old, and no rule keeps it$/);
    expect(dry.stdout).toMatch(/would remove 1 copies \(3.9 KiB\)\. Nothing was changed\./);
    expect(await good([local])).toHaveLength(5);

    const unpinned = await backupManager(['unpin', labels[3]!, '--json'], env);
    expect(JSON.parse(unpinned.stdout)).toEqual({ label: labels[3], pinned: false, wasPinned: true });
    const done = await backupManager(['cleanup', '--json'], env);
    expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: '' });
    const value = JSON.parse(done.stdout);
    expect(value).toMatchObject({ outcome: 'success', removed: { copies: 2 }, scrub: [{ target: 'local', neverChecked: 0 }] });
    expect(value.report).toMatch(/logs\/cleanup_report_\d{8}_\d{6}\.json$/);
    expect(await good([local])).toEqual(labels.slice(0, 3).map((label) => `local ${label}`));

    const gone = await backupManager(['pin', labels[4]!], env);
    expect(gone).toMatchObject({ status: 30, stderr: expect.stringMatching(/BACKUP_UNKNOWN/) });
    await putBytes(local, samples[0]!.key + SIDE.expired, Buffer.alloc(0));
    expect(await backupManager(['pin', labels[0]!], env)).toMatchObject({
      status: 30,
      stderr: expect.stringMatching(/its removal has begun/),
    });
  });

  test('says what is wrong when nothing goes, and ends with 3', async () => {
    for (const ago of [3, 4, 5, 30]) await storeSample([local], new Date(Date.now() - ago * DAY));
    const env = { POSTGRES_DB: 'shop', BACKUP_DIR: folder, BACKUP_WORK_DIR: folder, SCRUB_MEBIBYTES: '0' };
    const { status, stdout, stderr } = await backupManager(['cleanup'], env);
    expect(status).toBe(3);
    expect(stdout).toMatch(
      /Nothing of shop goes from local: the newest good backup here, \S+, is 72 h old, more than the limit of 26 h\./,
    );
    expect(stderr).toMatch(/What to do: \S/);
    expect(await good([local])).toHaveLength(4);
  });
});
