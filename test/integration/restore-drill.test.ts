import { copyFile, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { serializeManifest } from '../../src/catalog/manifest-file.ts';
import type { Manifest } from '../../src/catalog/manifest.ts';
import { dumpKey, labelOf, SIDE } from '../../src/catalog/names.ts';
import { systemClock } from '../../src/clock.ts';
import type { CodecName } from '../../src/codec/codec.ts';
import { PHASES } from '../../src/drill/verdict.ts';
import type { RestoreDrillParts } from '../../src/jobs/drill-parts.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { drillReportSchema } from '../../src/report/drill-report-schema.ts';
import { createFaultyStorage } from '../../src/storage/faulty.ts';
import { findingsOf, makeDrillGround, readReport, verdictsOf, type DrillGround } from '../support/drill-ground.ts';
import { makeBackup } from '../support/make-backup.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { processesWith, untilNone } from '../support/processes.ts';
import { startShopServer, type ShopServer } from '../support/shop-server.ts';

const OLD = new Date('2026-01-01T02:00:00Z');

let shop: ShopServer;
let ground: DrillGround;
/** One good backup, by codec; its files are copied about. */
const made = new Map<CodecName, { readonly key: string; readonly manifest: Manifest }>();

beforeAll(async () => {
  shop = await startShopServer();
  ground = await makeDrillGround([shop.programs.directory]);
  for (const codec of ['gzip', 'zstd'] as const) {
    await mkdir(join(ground.folder, codec));
    made.set(codec, await makeBackup(shop.shop, shop.programs, [storeOf(codec)], { codec, started: OLD }));
  }
});

afterAll(async () => {
  await shop.server.stop();
  await ground.remove();
});

beforeEach(async () => {
  for (const name of ['local', 'away', 'drill.d']) {
    const path = join(ground.folder, name);
    for (const entry of await readdir(path)) await rm(join(path, entry), { recursive: true });
  }
});

function storeOf(codec: CodecName) {
  const root = join(ground.folder, codec);
  return {
    ...ground.local,
    root,
    put: (key: string, content: Parameters<typeof ground.local.put>[1]) => putInto(root, key, content),
  };
}

async function putInto(root: string, key: string, content: Parameters<typeof ground.local.put>[1]) {
  const parts: Uint8Array[] = [];
  for await (const part of content.open()) parts.push(Buffer.from(part));
  await mkdir(join(root, 'full'), { recursive: true });
  await writeFile(join(root, key), Buffer.concat(parts));
  return { size: 0, sha256: '', checkedBy: 'none' as const };
}

/** Places the good backup on a target as one of another time, and damages it. Returns its label. */
async function place(
  target: DrillGround['local'],
  hour: number,
  damage: (path: string, manifest: Manifest) => Promise<void> = async () => undefined,
  codec: CodecName = 'gzip',
): Promise<string> {
  const { key, manifest } = made.get(codec)!;
  const label = labelOf('shop', new Date(Date.UTC(2026, 0, 2, hour)));
  const to = dumpKey(label, codec);
  const path = join(target.root, to);
  await mkdir(join(target.root, 'full'), { recursive: true });
  for (const suffix of ['', SIDE.toc, SIDE.globals]) await copyFile(join(ground.folder, codec, key + suffix), path + suffix);
  const copies = [
    { target: target.name, location: path, sha256: manifest.file.sha256, storedAt: OLD.toISOString(), checkedBy: 'fsync' },
  ];
  const named = <T extends { name: string }>(file: T, suffix: string): T => ({ ...file, name: basename(to) + suffix });
  const own: Manifest = {
    ...manifest,
    label,
    copies,
    file: named(manifest.file, ''),
    side: { toc: named(manifest.side.toc!, SIDE.toc), globals: named(manifest.side.globals!, SIDE.globals) },
  };
  await writeFile(path + SIDE.manifest, serializeManifest(own));
  await damage(path, own);
  return label;
}

/** Turns one bit round in the middle of the first member of a kind. */
function bitIn(kind: 'head' | 'chunk' | 'tail') {
  return async (path: string, { members }: Manifest): Promise<void> => {
    const bytes = await readFile(path);
    const { offset, length } = members.find((member) => member.kind === kind)!;
    bytes[offset + Math.floor(length / 2)]! ^= 4;
    await writeFile(path, bytes);
  };
}

async function swapMembers(path: string, { members }: Manifest): Promise<void> {
  const bytes = await readFile(path);
  const [one, other] = members.filter(({ kind }) => kind === 'chunk').slice(0, 2);
  const between = [other!, one!].map(({ offset, length }) => bytes.subarray(offset, offset + length));
  await writeFile(
    path,
    Buffer.concat([bytes.subarray(0, one!.offset), ...between, bytes.subarray(other!.offset + other!.length)]),
  );
}

/** Nothing of a drill is left: no folder, no server. */
async function expectNothingLeft(): Promise<void> {
  expect(await ground.leftovers()).toEqual([]);
  expect(await untilNone(() => processesWith(ground.work))).toEqual([]);
}

const ALL_PASSED = Object.fromEntries(PHASES.map((name) => [name, 'passed']));
const SKIPPED = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'skipped']));

describe('A restore drill', () => {
  test('proves a good backup by the engine, then by gunzip and psql alone, and leaves reports and nothing else', async () => {
    const label = await place(ground.local, 1);
    await writeFile(join(ground.assertions, 'orders.sql'), 'SELECT count(*) = 20000 FROM public.orders');
    const outcomes = [await ground.run(), await ground.run()];
    const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(drillReportSchema);
    for (const [at, drill] of outcomes.entries()) {
      expect(verdictsOf(drill)).toEqual(ALL_PASSED);
      expect(drill).toMatchObject({
        outcome: 'success',
        exitStatus: 0,
        summary: { status: 'success', rpo_compliant: true, rto_compliant: true },
      });
      expect(drill).toMatchObject({ label, violations: [] });
      expect(drill.error).toBeUndefined();
      expect(drill.summary.backup).toMatchObject({ label, target: 'local' });
      expect(drill.summary.restores.map(({ way }) => way)).toEqual([at === 0 ? 'engine' : 'plain']);
      expect(drill.summary.tables).toHaveLength(7);
      expect(drill.summary.tables.every(({ equal, expected, found }) => equal && expected.rows === found?.rows)).toBe(true);
      expect(drill.summary.assertions).toEqual([{ name: 'orders', verdict: 'passed' }]);
      expect(drill.summary.trend).toHaveLength(at + 1);
      const report = await readReport(drill);
      expect(validate(report) ? [] : validate.errors).toEqual([]);
      expect(report).toEqual(JSON.parse(JSON.stringify(drill.summary)));
      expect(basename(drill.report!)).toMatch(/^monthly_drill_\d{8}_\d{6}(_2)?\.json$/);
      const page = await readFile(drill.page!, 'utf8');
      expect(drill.page).toBe(drill.report!.replace('.json', '.html'));
      expect(page).toContain('Tab.le, with &quot;quotes&quot;');
      expect(page).not.toMatch(/<script|https?:|src=|@import/);
    }
    expect(outcomes[1]!.summary.restores[0]!.command).toMatch(/^gunzip -c .* \| .*psql -X -v ON_ERROR_STOP=1 /);
    // A backup every day cannot keep a recovery point of an hour, whatever this drill measured.
    expect(outcomes[0]!.summary.compliance.hopeless).toMatchObject([
      { target: 'rpo', remedy: expect.stringContaining('BACKUP_SCHEDULE') },
    ]);
    await expectNothingLeft();
  });

  test('names every way in which newer backups are damaged, takes the next good one from away, restores it both ways, and fails', async () => {
    const { away } = ground;
    const labels = {
      good: await place(away, 1, (path) => rm(path + SIDE.toc), 'zstd'),
      swapped: await place(away, 2, swapMembers),
      tail: await place(away, 3, bitIn('tail')),
      chunk: await place(away, 4, bitIn('chunk')),
      head: await place(away, 5, bitIn('head')),
      short: await place(away, 6, (path, { file }) => truncate(path, file.bytes - 1)),
      meta: await place(away, 7, (path) => rm(path + SIDE.manifest)),
      gone: await place(away, 8, (path) => rm(path)),
    };
    await place(ground.local, 0);
    const drill = await ground.run({ targets: [ground.local, away] }, { thorough: true });
    expect(drill).toMatchObject({ outcome: 'failure', exitStatus: 1, summary: { status: 'failure' } });
    expect(verdictsOf(drill)).toEqual({ ...ALL_PASSED, fetch: 'failed' });
    expect(drill.summary.backup).toMatchObject({
      label: labels.good,
      target: 'away',
      targetReason: expect.stringContaining('disaster'),
    });
    const said = findingsOf(drill, 'fetch').join('\n');
    for (const [label, message] of [
      [labels.gone, 'no target holds the dump whole'],
      [labels.meta, 'its manifest \\(.meta\\) is lost'],
      [labels.short, 'bytes instead of'],
      [labels.head, 'member 0 \\(the definitions, .*does not have its SHA-256'],
      [labels.chunk, 'rows of public\\..*does not have its SHA-256'],
      [labels.tail, 'indexes and constraints, .*does not have its SHA-256'],
      [labels.swapped, 'does not have its SHA-256'],
      [labels.good, '\\.toc is missing'],
    ] as const) {
      expect(said).toMatch(new RegExp(`${label}.*${message}`));
    }
    expect(drill.summary.restores.map(({ way }) => way)).toEqual(['engine', 'plain']);
    expect(drill.summary.restores[1]!.command).toMatch(/^zstd /);
    expect(drill.summary.tables.every(({ equal }) => equal)).toBe(true);
    await expectNothingLeft();
  });

  test('fails when there is no backup yet, or only damaged ones, and restores nothing', async () => {
    const none = await ground.run();
    expect(none).toMatchObject({
      outcome: 'failure',
      exitStatus: 1,
      summary: { status: 'failure', rpo_compliant: false, rto_compliant: false },
    });
    expect(findingsOf(none, 'fetch').join()).toMatch(/no backup of shop/);
    expect(none).toMatchObject({
      error: { code: 'DRILL_FAILED', message: expect.stringMatching(/phase fetch failed.*no backup of shop/) },
    });
    expect(none.violations).toBeUndefined();
    await place(ground.local, 1, bitIn('head'));
    await place(ground.local, 2, (path) => rm(path + SIDE.manifest));
    const damaged = await ground.run();
    expect(damaged.summary).toMatchObject({ status: 'failure', backup_age_minutes: null, restore_duration_minutes: null });
    expect(verdictsOf(damaged)).toEqual({
      ...{ fetch: 'failed', 'clean-up': 'passed' },
      ...SKIPPED('preflight', 'restore', 'equality', 'health', 'assertions', 'negative control'),
    });
    await expectNothingLeft();
  });

  test('finds a row that was changed after the restore, names table and assertion, and goes on to the end', async () => {
    await place(ground.local, 1);
    await writeFile(join(ground.assertions, 'false.sql'), 'SELECT false');
    await writeFile(join(ground.assertions, 'slip.sql'), 'SELEC true');
    await writeFile(join(ground.assertions, 'told.sql'), '-- expect: rows\nSELECT 7 AS n');
    const drill = await ground.run({
      hooks: {
        async before(phase, server) {
          if (phase !== 'equality') return;
          await withClient({ ...server!.connection, database: 'drill_engine' }, (client) =>
            client.query(`UPDATE customers SET name = 'somebody else' WHERE id = 7`),
          );
        },
      },
      rpoMinutes: 0,
    });
    expect(verdictsOf(drill)).toEqual({ ...ALL_PASSED, equality: 'failed', assertions: 'failed' });
    expect(drill).toMatchObject({ exitStatus: 1, summary: { status: 'failure', rpo_compliant: false } });
    expect(drill).toMatchObject({
      error: { message: expect.stringMatching(/phase equality failed: public\.customers/) },
      violations: [{ objective: 'rpo', message: expect.stringContaining('DRILL_RPO_MINUTES') }],
    });
    expect(drill.summary.tables.filter(({ equal }) => !equal)).toMatchObject([{ schema: 'public', name: 'customers' }]);
    expect(findingsOf(drill, 'equality').join()).toMatch(/public\.customers/);
    expect(Object.fromEntries(drill.summary.assertions.map(({ name, verdict }) => [name, verdict]))).toEqual({
      false: 'failed',
      slip: expect.stringMatching(/failed|inconclusive/),
      told: 'passed',
    });
    expect(drill.summary.assertions.at(-1)).toMatchObject({ name: 'told', columns: ['n'], rows: [['7']] });
  });

  test('gives up each phase that takes too long, and what it would have checked counts as not checked', async () => {
    await place(ground.local, 1);
    await writeFile(join(ground.assertions, 'slow.sql'), 'SELECT pg_sleep(60) IS NOT NULL');
    const within = (...names: (keyof RestoreDrillParts['timeouts'])[]) => ({
      timeouts: { ...ground.parts.timeouts, ...Object.fromEntries(names.map((name) => [name, 1])) },
    });
    const late = await ground.run(within('equality', 'assertions', 'negative control'));
    expect(late).toMatchObject({ outcome: 'inconclusive', exitStatus: 2 });
    expect(verdictsOf(late)).toMatchObject({
      restore: 'passed',
      equality: 'inconclusive',
      assertions: 'inconclusive',
      'negative control': 'inconclusive',
    });
    expect(late.summary.phases.find(({ name }) => name === 'negative control')?.findings[0]).toMatchObject({
      object: 'time limit',
      hint: expect.stringContaining('DRILL_TIMEOUT_NEGATIVE_CONTROL'),
    });
    expect(verdictsOf(await ground.run(within('restore')))).toMatchObject({
      preflight: 'passed',
      restore: 'inconclusive',
      equality: 'skipped',
    });
    expect(verdictsOf(await ground.run(within('preflight')))).toMatchObject({
      fetch: 'passed',
      preflight: 'inconclusive',
      restore: 'skipped',
    });
    expect(verdictsOf(await ground.run(within('fetch')))).toMatchObject({ fetch: 'inconclusive', preflight: 'skipped' });
    await expectNothingLeft();
  });

  test('is inconclusive, and never a success, when the throw-away server is killed under it', async () => {
    await place(ground.local, 1);
    const killAt = (moment: string) =>
      ground.run({ hooks: { before: async (phase, server) => (phase === moment ? server?.throwAway?.kill() : undefined) } });
    const inRestore = await killAt('restore');
    expect(inRestore).toMatchObject({
      outcome: 'inconclusive',
      exitStatus: 2,
      summary: { status: 'inconclusive', rto_compliant: false },
    });
    expect(verdictsOf(inRestore)).toMatchObject({ restore: 'inconclusive', equality: 'skipped' });
    const afterwards = await killAt('equality');
    expect(verdictsOf(afterwards)).toMatchObject({
      restore: 'passed',
      equality: 'inconclusive',
      'negative control': 'inconclusive',
    });
    expect(afterwards.exitStatus).toBe(2);
    await expectNothingLeft();
  });

  test('says what it could not do: a target that is away, one that nobody knows, a clock that was set back, an abort', async () => {
    await place(ground.local, 1);
    const away = createFaultyStorage(ground.away, [{ operation: 'list', kind: 'fail' }]);
    const stopAfterFetch = { timeouts: { ...ground.parts.timeouts, preflight: 1 } };
    const silent = await ground.run({ ...stopAfterFetch, targets: [ground.local, away] });
    expect(silent).toMatchObject({
      exitStatus: 2,
      summary: { backup: { target: 'local', targetReason: 'no other target could give a backup' } },
    });
    expect(findingsOf(silent, 'fetch').join()).toMatch(/away: an injected failure/);

    const unknown = await ground.run({}, { from: 'tape' });
    expect(unknown.exitStatus).toBe(2);
    expect(findingsOf(unknown, 'fetch').join()).toMatch(/no target "tape"/);

    const past = { ...systemClock, now: () => new Date('2020-01-01T00:00:00Z') };
    const early = await ground.run(stopAfterFetch, {}, { clock: past });
    expect(early.summary).toMatchObject({ backup_age_minutes: null, rpo_compliant: false, worst_case: null });
    expect(early.summary.compliance.notes.join()).toMatch(/younger than this machine's clock/);

    const stop = new AbortController();
    const hooks = { before: async (phase: string) => (phase === 'preflight' ? stop.abort() : undefined) };
    const aborted = await ground.run({ hooks }, {}, { signal: stop.signal });
    expect(aborted).toMatchObject({
      outcome: 'aborted',
      exitStatus: 130,
      summary: { status: 'inconclusive', error: { code: 'ABORTED' } },
    });
    expect(verdictsOf(aborted)).toMatchObject({ fetch: 'passed', restore: 'skipped', 'clean-up': 'passed' });
    await expectNothingLeft();
  });

  test('waits for nobody: while one runs, a second says who is running and does nothing', async () => {
    await place(ground.local, 1);
    const first = await ground.run({
      hooks: {
        before: async (phase) => {
          if (phase !== 'preflight') return;
          const second = await ground.run();
          expect(second).toMatchObject({ outcome: 'inconclusive', exitStatus: 2, summary: { error: { code: 'LOCKED' } } });
          expect(second.summary.error?.message).toMatch(new RegExp(`process ${process.pid} on .*, since 20`));
        },
      },
      timeouts: { ...ground.parts.timeouts, preflight: 1 },
    });
    expect(verdictsOf(first)).toMatchObject({ fetch: 'passed', preflight: 'inconclusive' });
    expect(await ground.leftovers()).toEqual([]);
  });

  testWithMounts('is inconclusive when its disk is full, at the fetch and in mid-restore', async () => {
    await place(ground.away, 1);
    const work = join(ground.folder, 'small');
    await withMount(work, 'size=512k', async () => {
      const drill = await ground.run({ workFolder: work, targets: [ground.away] });
      expect(drill.exitStatus).toBe(2);
      expect(findingsOf(drill, 'fetch').join()).toMatch(/MB free, the backup needs/);
      expect(await readdir(work)).toEqual([]);
    });
    await withMount(work, 'size=200m', async () => {
      const hooks = {
        before: async (phase: string) => {
          if (phase !== 'restore') return;
          const filler = join(work, 'filler');
          await writeFile(filler, Buffer.alloc(250_000_000)).catch(() => undefined);
          // Room for the `.toc`, and enough to begin with.
          await truncate(filler, (await stat(filler)).size - 5_000_000);
        },
      };
      const drill = await ground.run({ workFolder: work, hooks, targets: [ground.away] });
      expect({ exit: drill.exitStatus, restore: verdictsOf(drill)['restore'] }).toEqual({ exit: 2, restore: 'inconclusive' });
      expect(findingsOf(drill, 'restore').join()).toMatch(/No space left on device|could not extend file/);
      expect(await readdir(work)).toEqual(['filler']);
    });
  });
});
