import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { listBackups, readObject } from '../../src/catalog/catalog.ts';
import { parseManifest, serializeManifest } from '../../src/catalog/manifest-file.ts';
import { systemClock, type Clock } from '../../src/clock.ts';
import { BackupError } from '../../src/errors.ts';
import type { NightlyBackupParts } from '../../src/jobs/backup-parts.ts';
import { createNightlyBackup, type NightlyBackupOutcome } from '../../src/jobs/nightly-backup.ts';
import { createLog } from '../../src/log.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { findPrograms } from '../../src/postgres/programs.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { backupReportSchema } from '../../src/report/backup-report-schema.ts';
import { LOGS } from '../../src/report/report-file.ts';
import { verifyBackup } from '../../src/restore/verify.ts';
import { bytesContent } from '../../src/storage/content.ts';
import { createDiskStorage, type DiskStorage } from '../../src/storage/disk.ts';
import { createFaultyStorage, type Fault } from '../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { quietContext } from '../support/restore-context.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';

const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;
const fitsSchema = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(backupReportSchema);
const DENIED = new BackupError('STORAGE_DENIED', 'no permission', { hint: 'Give it.' });

let server: ThrowAwayServer;
let folder: string;
let local: DiskStorage;
let lines: Record<string, unknown>[];

beforeAll(async () => {
  server = await startThrowAwayServer({ binDirectory });
  await withClient(server.connection, async (client) => {
    await client.query('CREATE TABLE orders AS SELECT i, md5(i::text) AS note FROM generate_series(1, 20000) i');
    await client.query(`SELECT lo_from_bytea(0, '\\x00ff')`);
    await client.query('CREATE ROLE reader LOGIN IN ROLE pg_read_all_data');
  });
});

afterAll(() => server.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nightly-test-'));
  await mkdir(join(folder, 'backups'));
  await mkdir(join(folder, 'work'));
  local = createDiskStorage({ name: 'local', root: join(folder, 'backups') });
  lines = [];
});

afterEach(() => rm(folder, { recursive: true }));

function parts(more: Partial<NightlyBackupParts> & { others?: Storage[]; withoutLocal?: true } = {}): NightlyBackupParts {
  const { others = [], withoutLocal, ...rest } = more;
  return {
    source: 'shop',
    connection: server.connection,
    findPrograms: (serverMajor) => findPrograms({ serverMajor, directories: [binDirectory] }),
    targets: [local, ...others],
    ...(withoutLocal ? {} : { spool: local }),
    workFolder: join(folder, 'work'),
    reports: [{ storage: local, prefix: LOGS }],
    dump: { codec: 'gzip', level: 1, workers: 2, lockTimeoutMs: 10_000, attempts: 2, rolePasswords: false, allowedWarnings: [] },
    repair: { attempts: 2, baseDelayMs: 1, maxDelayMs: 1 },
    stallTimeoutMs: 60_000,
    redact: (text) => text,
    version: '0.1.0',
    ...rest,
  };
}

async function run(
  made: NightlyBackupParts,
  options: { signal?: AbortSignal; clock?: Clock } = {},
): Promise<NightlyBackupOutcome> {
  const log = createLog('info', { destination: { write: (line) => lines.push(JSON.parse(line)) } });
  const outcome = await createNightlyBackup(made).run({
    signal: new AbortController().signal,
    clock: systemClock,
    log,
    ...options,
  });
  expect(fitsSchema(JSON.parse(JSON.stringify(outcome.summary))) ? [] : fitsSchema.errors).toEqual([]);
  return outcome;
}

function faulty(...faults: Fault[]): Storage {
  return createFaultyStorage(createMemoryStorage({ name: 's3' }), faults);
}

async function keysOf(storage: Storage): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of storage.list('')) keys.push(key.replace(/\d{8}_\d{6}/, 'TIME'));
  return keys;
}

const DUMP = 'full/backup_shop_TIME.sql.gz';
const WHOLE = [DUMP, `${DUMP}.globals.gz`, `${DUMP}.meta`, `${DUMP}.toc`];
const REPORT = 'logs/backup_report_TIME.json';

describe('The nightly backup', () => {
  test('warns when a target has backups of another server under the same source name, and goes on', async () => {
    const s3 = createMemoryStorage({ name: 's3' });
    expect((await run(parts({ others: [s3] }))).summary.warnings).toEqual([]);
    expect((await run(parts({ others: [s3] }))).summary.warnings).toEqual([]);
    for await (const { key } of s3.list('full/')) {
      if (!key.endsWith('.meta')) continue;
      const manifest = parseManifest(await readObject(s3, key));
      const foreign = { ...manifest, server: { ...manifest.server, systemIdentifier: '4711' } };
      await s3.put(key, bytesContent(serializeManifest(foreign)));
    }
    const { outcome, summary } = await run(parts({ others: [s3] }));
    expect(outcome).toBe('success');
    expect(summary.warnings).toEqual([expect.stringMatching(/^s3 has backup_shop_.*another server.*4711.*BACKUP_SOURCE_NAME/)]);
    expect(lines.map(({ msg }) => msg)).toContain(summary.warnings[0]);
  });

  test('stores dump, side files and manifest everywhere, and its manifests name all copies', async () => {
    const s3 = createMemoryStorage({ name: 's3' });
    const { outcome, exitStatus, summary } = await run(parts({ others: [s3] }));
    expect({ outcome, exitStatus }).toEqual({ outcome: 'success', exitStatus: 0 });
    expect(summary).toMatchObject({
      rows: 20000,
      targets: [{ state: 'stored' }, { state: 'stored' }],
      versions: { dbBackup: '0.1.0' },
    });
    expect(await keysOf(s3)).toEqual(WHOLE);
    expect(await keysOf(local)).toEqual([...WHOLE, REPORT]);
    for (const target of [local, s3]) {
      const [backup] = (await listBackups([target])).backups;
      expect(backup?.manifest?.copies.map((copy) => copy.target)).toEqual(['local', 's3']);
      const result = await verifyBackup({ storage: target, key: backup!.key, temporaryFolder: tmpdir() }, quietContext());
      expect(result.checks.filter((check) => check.outcome === 'failed')).toEqual([]);
    }
  });

  test('writes the manifest last on every target', async () => {
    const order: string[] = [];
    const recording = (inner: Storage): Storage => ({
      ...inner,
      async put(key, content, signal) {
        const result = await inner.put(key, content, signal);
        order.push(key.replace(/\d{8}_\d{6}/, 'TIME'));
        return result;
      },
    });
    await run(parts({ targets: [recording(createMemoryStorage({ name: 's3' }))], withoutLocal: true }));
    expect(order.toSorted()).toEqual(WHOLE);
    expect(order.at(-1)).toBe(`${DUMP}.meta`);
  });

  test('repairs a target that failed while the dump ran, and says so', async () => {
    const s3 = faulty({ operation: 'put', kind: 'fail', call: 1, afterBytes: 1000, key: /gz$/ });
    const { outcome, summary } = await run(parts({ others: [s3] }));
    expect(outcome).toBe('success');
    expect(summary.targets[1]).toMatchObject({ target: 's3', state: 'stored', repaired: true });
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', target: 's3' }));
  });

  test('gives a target that did not answer at the start its copy when it answers later', async () => {
    const s3 = faulty({ operation: 'probe', kind: 'fail' });
    const { outcome, summary } = await run(parts({ others: [s3] }));
    expect({ outcome, state: summary.targets[1]?.state }).toEqual({ outcome: 'success', state: 'stored' });
    expect(await keysOf(s3)).toEqual(WHOLE);
  });

  test.each<[string, Fault[], string[]]>([
    ['refuses us at the start', [{ operation: 'probe', kind: 'fail', error: DENIED }], []],
    ['never takes the dump', [{ operation: 'put', kind: 'fail', key: /\.sql\.gz$/ }], [`${DUMP}.globals.gz`, `${DUMP}.toc`]],
    ['does not take a side file', [{ operation: 'put', kind: 'fail', key: /\.toc$/ }], [DUMP]],
    [
      'does not take the manifest',
      [{ operation: 'put', kind: 'fail', key: /\.meta$/ }],
      WHOLE.filter((key) => !key.endsWith('.meta')),
    ],
  ])('is incomplete, with a good local copy, when the other target %s', async (_how, faults, keys) => {
    const s3 = faulty(...faults.map((fault) => ({ ...fault })));
    const { outcome, exitStatus, summary } = await run(parts({ others: [s3] }));
    expect({ outcome, exitStatus }).toEqual({ outcome: 'incomplete', exitStatus: 3 });
    expect(summary.targets).toMatchObject([
      { target: 'local', state: 'stored' },
      { target: 's3', state: 'failed', error: { code: expect.stringMatching(/^STORAGE_/) } },
    ]);
    expect(summary.error?.message).toContain('s3 has no copy');
    expect(await keysOf(s3)).toEqual(keys);
    expect((await listBackups([local])).backups).toMatchObject([{ state: 'complete' }]);
  });

  test('fails, and leaves nothing visible, when the only target does not take the dump', async () => {
    const s3 = faulty({ operation: 'put', kind: 'fail', key: /\.sql\.gz$/ });
    const { outcome, exitStatus, summary } = await run(parts({ targets: [s3], withoutLocal: true }));
    expect({ outcome, exitStatus, code: summary.error?.code }).toEqual({
      ...{ outcome: 'failure', exitStatus: 20, code: 'STORAGE_UNAVAILABLE' },
    });
    expect((await listBackups([s3])).backups).toEqual([]);
    expect(await keysOf(local)).toEqual([REPORT]);
  });

  test('needs no local target, and leaves no temporary file of its own', async () => {
    const s3 = createMemoryStorage({ name: 's3' });
    const { outcome } = await run(parts({ targets: [s3], withoutLocal: true, reports: [{ storage: s3, prefix: LOGS }] }));
    expect(outcome).toBe('success');
    expect(await keysOf(s3)).toEqual([...WHOLE, REPORT]);
    expect(await readdir(join(folder, 'work', 'db-backup-work'))).toEqual([]);
  });

  test('fails when its report cannot be stored, since nobody would know of the run', async () => {
    const reports = [{ storage: faulty({ operation: 'put', kind: 'fail' }), prefix: LOGS }];
    const { outcome, report, exitStatus } = await run(parts({ reports }));
    expect({ outcome, report, exitStatus }).toEqual({ outcome: 'failure', report: undefined, exitStatus: 20 });
    expect(lines).toContainEqual(
      expect.objectContaining({ level: 'error', summary: expect.objectContaining({ outcome: 'success' }) }),
    );
  });

  test('gives two runs of the same second different labels and reports', async () => {
    const clock: Clock = { now: () => new Date('2026-01-02T03:04:05.678Z'), monotonic: () => 0 };
    const first = await run(parts(), { clock });
    const second = await run(parts(), { clock });
    expect([first.summary.label, second.summary.label]).toEqual(['backup_shop_20260102_030405', 'backup_shop_20260102_030406']);
    expect(first.report).not.toBe(second.report);
    expect((await listBackups([local])).backups).toMatchObject([{ state: 'complete' }, { state: 'complete' }]);
  });

  test('is incomplete when the role may not read all, and names what is missing, unless that is allowed', async () => {
    const connection = { ...server.connection, user: 'reader' };
    const { outcome, summary } = await run(parts({ connection }));
    expect(outcome).toBe('incomplete');
    expect(summary.omitted).toContainEqual(expect.objectContaining({ kind: 'large-objects' }));
    expect(summary.error).toMatchObject({ code: 'BACKUP_INCOMPLETE', message: expect.stringContaining('large objects') });
    expect((await listBackups([local])).backups).toMatchObject([{ state: 'incomplete' }]);

    const { dump } = parts();
    const allowed = await run(parts({ connection, dump: { ...dump, allowedWarnings: ['large objects'] } }));
    expect(allowed.outcome).toBe('success');
    expect(allowed.summary.omitted).toHaveLength(1);
    expect((await listBackups([local])).backups[0]).toMatchObject({ state: 'complete' });
  });

  test('keeps the local copy when it is aborted while another target still takes its own', async () => {
    const stop = new AbortController();
    const s3 = faulty({ operation: 'put', kind: 'stall', key: /\.sql\.gz$/, afterBytes: 10 });
    const watch = {
      phase: (name: string) => {
        if (name === 'copies') stop.abort(new BackupError('ABORTED', 'stopped by a test'));
      },
    };
    const { outcome, exitStatus, summary } = await run(parts({ others: [s3], watch }), { signal: stop.signal });
    expect({ outcome, exitStatus }).toEqual({ outcome: 'aborted', exitStatus: 130 });
    expect(summary.error?.message).toMatch(/stopped by a test.*exists/);
    expect(summary.targets).toMatchObject([{ state: 'stored' }, { state: 'failed' }]);
    expect((await listBackups([local])).backups).toMatchObject([{ state: 'complete' }]);
  });

  describe('on a small disk', () => {
    let disk: string;
    let small: DiskStorage;

    beforeEach(async () => {
      disk = join(folder, 'disk');
      await mkdir(disk);
      small = createDiskStorage({ name: 'local', root: disk });
    });

    const made = (others: Storage[]) =>
      parts({ targets: [small, ...others], spool: small, reports: [{ storage: local, prefix: LOGS }] });

    testWithMounts('that fills half-way goes on with the other target, and the local one is left clean', async () => {
      await withMount(disk, 'size=400k', async () => {
        const s3 = createMemoryStorage({ name: 's3' });
        const { outcome, summary } = await run(made([s3]));
        expect(outcome).toBe('incomplete');
        expect(summary.targets).toMatchObject([
          { target: 'local', state: 'failed', error: { code: 'STORAGE_FULL' } },
          { target: 's3', state: 'stored' },
        ]);
        expect(await keysOf(s3)).toEqual(WHOLE);
        expect((await listBackups([s3])).backups).toMatchObject([{ state: 'complete' }]);
        expect((await readdir(disk, { recursive: true })).filter((name) => name.endsWith('.partial'))).toEqual([]);
      });
    });

    testWithMounts('that fills half-way and is the only target fails, and leaves nothing of the dump', async () => {
      await withMount(disk, 'size=400k', async () => {
        const { outcome, exitStatus, summary } = await run(made([]));
        expect({ outcome, exitStatus, code: summary.error?.code }).toEqual({
          outcome: 'failure',
          exitStatus: 20,
          code: 'STORAGE_FULL',
        });
        expect((await readdir(disk, { recursive: true })).filter((name) => /partial|sql/.test(name))).toEqual([]);
      });
    });

    testWithMounts('that is read-only fails before anything is done', async () => {
      await withMount(disk, 'ro', async () => {
        const { outcome, summary } = await run(made([]));
        expect({ outcome, code: summary.error?.code }).toEqual({ outcome: 'failure', code: 'STORAGE_READ_ONLY' });
        expect(summary.phases).toMatchObject([{ name: 'check targets', outcome: 'failed' }]);
      });
    });
  });

  test('sweeps what killed runs left, and reports it', async () => {
    const key = 'full/backup_shop_20200101_000000.sql.gz.toc';
    await local.put(key, {
      replayable: true,
      async *open() {
        yield Buffer.from('left over');
      },
    });
    const { summary } = await run(parts());
    expect(summary.swept).toEqual([local.location(key)]);
    expect(await local.head(key)).toBeUndefined();
  });

  test('is not ended by another target that can be neither swept nor listed, but says so', async () => {
    const s3 = faulty({ operation: 'sweep', kind: 'fail' }, { operation: 'list', kind: 'fail', key: /^full/ });
    const { outcome, summary } = await run(parts({ targets: [s3, local] }));
    expect({ outcome, states: summary.targets.map(({ state }) => state) }).toEqual({
      ...{ outcome: 'success', states: ['stored', 'stored'] },
    });
    expect(summary.warnings).toContainEqual(expect.stringMatching(/not removed.*s3/));
    expect(summary.warnings).toContainEqual(expect.stringMatching(/could not be listed.*s3/));
  });

  test('does not use as its spool a local target that did not answer, and whose lock it does not have', async () => {
    let begun = 0;
    const unsure: DiskStorage = {
      ...createFaultyStorage(local, [{ operation: 'probe', kind: 'fail' }]),
      root: local.root,
      begin(key) {
        begun += 1;
        return local.begin(key);
      },
    };
    const s3 = createMemoryStorage({ name: 's3' });
    const { outcome, summary } = await run(parts({ targets: [unsure, s3], spool: unsure }));
    expect({ outcome, error: summary.error, begun }).toEqual({ outcome: 'success', error: undefined, begun: 0 });
    expect(await keysOf(local)).toEqual([...WHOLE, REPORT]);
    expect(await keysOf(s3)).toEqual(WHOLE);
  });

  test.each([1, 2])('begins a dump %i times, no more, when the source is changed under it', async (attempts) => {
    const dump = { ...parts().dump, attempts, lockTimeoutMs: 100 };
    await withClient(server.connection, async (client) => {
      await client.query('BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE');
      const { outcome, summary } = await run(parts({ dump }));
      expect({ outcome, code: summary.error?.code }).toEqual({ outcome: 'failure', code: 'SOURCE_CHANGED' });
      expect(summary.warnings.filter((text) => text.includes('was given up'))).toHaveLength(attempts - 1);
    });
    expect(await keysOf(local)).toEqual([REPORT]);
  });

  test('reports a failure of the source with all that is known', async () => {
    const { outcome, exitStatus, summary } = await run(parts({ connection: { ...server.connection, database: 'absent' } }));
    expect({ outcome, exitStatus }).toEqual({ outcome: 'failure', exitStatus: 10 });
    expect(summary.error).toMatchObject({ code: 'SOURCE_DATABASE_MISSING', hint: expect.any(String) });
    expect(summary.phases.at(-1)).toMatchObject({ name: 'inspect source', outcome: 'failed' });
    expect(await keysOf(local)).toEqual([REPORT]);
  });
});
