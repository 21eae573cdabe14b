import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { assemble } from '../../src/assemble.ts';
import { serializeWalMeta } from '../../src/catalog/wal-meta.ts';
import { parseWalFile } from '../../src/catalog/wal-names.ts';
import { decompressFrame } from '../../src/codec/frame.ts';
import { systemClock } from '../../src/clock.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import { proveCommits } from '../../src/drill/commit-proof.ts';
import { microseconds } from '../../src/drill/transaction-ends.ts';
import { createLog } from '../../src/log.ts';
import { reachOf } from '../../src/wal/segment-reach.ts';
import { packWal } from '../../src/wal/store-wal-file.ts';
import { pitrDrillReportSchema, type PitrDrillReport } from '../../src/report/pitr-drill-report.ts';
import { backupManager } from '../support/command.ts';
import { blocksOf } from '../support/documents.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { PitrGround } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith } from '../support/processes.ts';
import { startS3Server } from '../support/s3-server.ts';

const s3 = await startS3Server();
const MAJORS = [15, 17].filter((major) => installedVersions().some((version) => version.major === major));

const SEGMENT = 16 * 2 ** 20;
const configDirectory = fileURLToPath(new URL('../../config', import.meta.url));

afterAll(async () => await s3?.stop());

describe.each(MAJORS)('point-in-time recovery of PostgreSQL %i', (major) => {
  let ground: PitrGround;
  const from = s3 ? ['--target', 's3'] : [];
  /** What takes long and is the same on each version; on all of them where it is asked for. */
  const thorough = major === MAJORS.at(-1) || process.env['PITR_FAULTS'] === 'all';

  beforeAll(async () => {
    ground = await PitrGround.open(major, s3);
    const space = await ground.server.server.makeFolder('space');
    await ground.sql(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY) TABLESPACE elsewhere');
    // A copy can read it only with its library loaded from the start.
    await ground.sql('CREATE EXTENSION pg_stat_statements');
    await ground.sql(`ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements, auto_explain`);
    ground.env['DRILL_ASSERTIONS'] = join(ground.folder, 'assertions');
    await mkdir(ground.env['DRILL_ASSERTIONS']);
    await writeFile(join(ground.env['DRILL_ASSERTIONS'], 'statements.sql'), 'SELECT count(*) >= 0 FROM pg_stat_statements');
    await ground.startDaemon();
  });

  afterAll(async () => {
    await ground.close();
  });

  test('a physical backup counts once the WAL that it needs is stored, and is an ordinary archive', async () => {
    await ground.mark();
    // Slow enough for tables to come and go meanwhile.
    const progress = { isMade: false };
    const making = ground.json('create-backup', '--physical').finally(() => (progress.isMade = true));
    let tables = 0;
    for (; !progress.isMade; tables += 1) {
      await ground.sql(`CREATE TABLE fleeting_${tables} AS SELECT generate_series(1, 1000) AS n`);
      await ground.sql(`DROP TABLE IF EXISTS "fleeting_${tables - 1}"`);
    }
    const made = await making;
    expect(made).toMatchObject({ outcome: 'success', label: expect.stringMatching(/^base_postgres_/) });
    expect(tables).toBeGreaterThan(3);
    await ground.sql(`ALTER TABLE fleeting_${tables - 1} RENAME TO fleeting`);
    const { windows, unusable } = await ground.json('list-backups', '--recoverable');
    expect(windows).toEqual([expect.objectContaining({ base: made.label })]);
    expect(unusable).toEqual([]);
    const names = await readdir(join(ground.folder, 'backups/base', String(made.label)));
    const extension = major === 15 ? 'gz' : 'zst';
    expect(names.sort()).toEqual([expect.stringMatching(/^\d+\.tar\./), 'backup_manifest', `base.tar.${extension}`]);
  });

  test('exactly what was committed before an instant is there after recovery to it, and all of it after recovery to the newest', async () => {
    await ground.mark();
    const instant = await ground.mark();
    await sleep(20);
    await ground.mark();
    const last = await ground.mark();
    await ground.recoverableTo(last, ...from);
    const then = await ground.recovered('instant', '--to', instant, ...from);
    expect(then).toMatchObject({ marks: 3, says: { state: 'open', asked: instant, reached: { timeline: 2 } } });
    // The heartbeat of the daemon may have come between the two marks before the instant, and after it.
    expect(then.says.reached!.lastTransaction! <= instant).toBe(true);
    const count = 'SELECT count(*)::int AS marks, (SELECT count(*)::int FROM fleeting) AS n FROM marks';
    const now = await ground.inspect('latest', count, ...from);
    expect(now.rows).toEqual([{ marks: 5, n: 1000 }]);
    expect(now.says.reached!.lastTransaction! > instant).toBe(true);
    const paused = await ground.recovered('paused', '--to', instant, '--pause', ...from);
    expect(paused).toMatchObject({ marks: 3, says: { state: 'paused' } });
    expect(paused.says.reached).not.toHaveProperty('timeline');
  });

  test('health says how far the WAL is, what the source keeps, and since when any instant can be recovered', async () => {
    const health = await ground.health();
    expect(health['replication']).toMatchObject({ verdict: 'ok' });
    expect(health['wal stream']).toMatchObject({
      verdict: 'ok',
      says: expect.stringMatching(/B and [0-9.]+ s behind the source/),
    });
    expect(health['wal at source']).toMatchObject({ verdict: 'ok', says: expect.stringContaining('its pg_wal has') });
    expect(health['wal copies local']).toMatchObject({ verdict: 'ok' });
    if (s3) expect(health['wal copies s3']).toMatchObject({ verdict: 'ok' });
    expect(health['recovery proof']).toMatchObject({ verdict: 'warn', says: expect.stringContaining('yet') });
    expect(health['base backup']).toMatchObject({ verdict: 'ok', says: expect.stringContaining('any instant from') });
  });

  test('what a receiver that stands still has not fetched is not called recoverable, and health sees it', async () => {
    const [receiver] = await processesWith(`pg_receivewal\0-D\0${ground.folder}`);
    process.kill(Number.parseInt(receiver!, 10), 'SIGSTOP');
    let instant: string;
    try {
      instant = await ground.mark();
      // The source is looked at, and says that its WAL has gone on.
      await ground.streamState(({ source }) => (source?.time ?? '') > instant);
      const { received } = await ground.streamState(({ source }, before) => (source?.time ?? '') > (before.source?.time ?? ''));
      expect(received!.time! < instant).toBe(true);
      const { windows } = await ground.json('list-backups', '--recoverable');
      expect(windows![0]!.toTime! < instant).toBe(true);
    } finally {
      process.kill(Number.parseInt(receiver!, 10), 'SIGCONT');
    }
    await ground.recoverableTo(instant);
  });

  test('a drill proves a random instant and the newest, and its report says so', async () => {
    await ground.sql(`CREATE INDEX ON marks ((n + 1))`);
    await ground.recoverableTo(await ground.mark(), ...from);
    if (major === 15) {
      const [drill] = await blocksOf('docs/pitr.md', 'sh', '## The drill');
      expect(await ground.shell(drill!, {})).toMatchObject({ status: 0, says: expect.stringContaining('Success') });
    } else {
      // By the schedule: once, in a few seconds.
      await ground.endDaemon('SIGTERM');
      const at = new Date(Date.now() + 6000);
      const fields = [at.getUTCSeconds(), at.getUTCMinutes(), at.getUTCHours(), at.getUTCDate(), at.getUTCMonth() + 1, '*'];
      ground.env['PITR_DRILL_SCHEDULE'] = fields.join(' ');
      await ground.startDaemon();
      await ground.logged('drill of point-in-time recovery ended: success');
      delete ground.env['PITR_DRILL_SCHEDULE'];
      const { jobs } = await ground.json('status');
      expect(jobs).toContainEqual(
        expect.objectContaining({ job: 'pitr-drill', last: expect.objectContaining({ result: 'success' }) }),
      );
    }
    const folder = join(ground.folder, 'backups/restore-tests');
    const names = (await readdir(folder)).filter((name) => name.startsWith('pitr_drill_'));
    expect(names).toHaveLength(2);
    const report = names.find((name) => name.endsWith('.json'))!;
    const said = JSON.parse(await readFile(join(folder, report), 'utf8')) as PitrDrillReport;
    expect(said.slot !== undefined).toBe(major !== 15);
    expect(said).toMatchObject({ status: 'success', target: s3 ? 's3' : 'local', rpo_compliant: true, rto_compliant: true });
    expect(said.phases.map(({ name, verdict }) => `${name} ${verdict}`)).toEqual(
      ['choose', 'recover', 'commits', 'health', 'assertions', 'page checksums', 'newest', 'clean-up'].map(
        (name) => `${name} passed`,
      ),
    );
    const { present, absent } = said.instant!.commits!;
    expect(said.newest!.commits!.present).toBeGreaterThan(present);
    expect(absent).toBeGreaterThan(0);
    const ajv = new Ajv({ formats: { 'date-time': true } });
    expect(ajv.validate(pitrDrillReportSchema, said) ? [] : ajv.errors).toEqual([]);
    expect(await readFile(join(folder, report.replace('.json', '.html')), 'utf8')).toContain('exactly what was committed');
    expect((await ground.health())['recovery proof']).toMatchObject({
      verdict: 'ok',
      says: expect.stringContaining(`${said.window!.base} was proven`),
    });
    const ledger = await readFile(join(ground.folder, 'backups/logs/ledger.jsonl'), 'utf8');
    expect(ledger).toContain('"job":"pitr-drill"');
    expect((await readdir(ground.folder)).filter((name) => name.startsWith('db-backup-drill-'))).toEqual([]);
  });

  test('the proof of a drill finds transactions that must not be there', async () => {
    const { wal, measured } = await ground.json('recover', '--plan', '--to', 'latest');
    // The drill before has measured how long it takes.
    expect(measured).toBe(true);
    const instant = await ground.mark();
    // On the disk before it is acknowledged: the test's server is lax otherwise.
    await ground.sql('SET synchronous_commit = on; INSERT INTO marks SELECT count(*) + 1 FROM marks');
    const segments = wal!.map((name) => name.replace('.partial', ''));
    const workFolder = await mkdtemp(join(ground.folder, 'proof-'));
    const input = {
      ...{
        program: join(ground.server.programs.directory, 'pg_waldump'),
        connection: ground.server.connection,
        segments,
        workFolder,
      },
      ...{ walFolder: join(ground.server.server.dataDirectory, 'pg_wal'), segmentBytes: 16 * 2 ** 20 },
      ...{ startLsn: (await ground.base()).startLsn, signal: AbortSignal.timeout(60_000) },
    };
    // The source itself, taken for a server that was recovered to that instant.
    const { extra, missing } = await proveCommits({ ...input, until: microseconds(instant) });
    expect(missing).toEqual([]);
    expect(extra.length).toBeGreaterThan(0);
    expect(await proveCommits(input)).toMatchObject({ missing: [], extra: [], absent: 0 });
  });

  if (thorough)
    test('a drill gives up each phase that takes too long, and what it would have checked counts as not checked', async () => {
      await ground.recoverableTo(await ground.mark(), ...from);
      const config = loadConfig({ env: ground.env, configDirectory });
      const within = async (...names: (keyof typeof config.drill.timeouts)[]) => {
        const timeouts = { ...config.drill.timeouts, ...Object.fromEntries(names.map((name) => [name, 1])) };
        const parts = assemble({ ...config, redact: config.redact, drill: { ...config.drill, timeouts } });
        const context = { clock: systemClock, log: createLog('silent'), signal: AbortSignal.timeout(120_000) };
        const { outcome, summary } = await parts.pitrDrill().run(context);
        parts.close();
        expect((await readdir(ground.folder)).filter((name) => name.startsWith('db-backup-drill-'))).toEqual([]);
        const verdicts = Object.fromEntries(summary.phases.map(({ name, verdict }) => [name, verdict]));
        return { outcome, verdicts, phases: summary.phases };
      };
      const recovering = await within('restore');
      expect(recovering).toMatchObject({
        outcome: 'inconclusive',
        verdicts: { choose: 'passed', recover: 'inconclusive', commits: 'skipped', newest: 'inconclusive', 'clean-up': 'passed' },
      });
      expect(recovering.phases.find(({ name }) => name === 'newest')?.findings).toEqual([
        expect.objectContaining({ object: 'time limit', hint: expect.stringContaining('DRILL_TIMEOUT_RESTORE') }),
      ]);
      expect(await within('equality', 'health', 'assertions')).toMatchObject({
        outcome: 'inconclusive',
        verdicts: {
          ...{ recover: 'passed', commits: 'inconclusive', health: 'inconclusive', assertions: 'inconclusive' },
          ...{ 'page checksums': 'inconclusive', newest: 'passed', 'clean-up': 'passed' },
        },
      });
      expect(await within('fetch')).toMatchObject({
        verdicts: { choose: 'inconclusive', recover: 'skipped', newest: 'skipped' },
      });
    });

  if (thorough)
    test('one table and a database come back as they were at an instant', async () => {
      const instant = await ground.mark();
      const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
      await sleep(20);
      await ground.sql('DELETE FROM marks WHERE n = 2');
      await ground.recoverableTo(await ground.now(), ...from);
      const [commands] = await blocksOf('docs/pitr.md', 'sh', '## One table');
      const names = {
        '2026-01-31T14:05:00Z': instant,
        shop_then: 'postgres_then',
        ' shop ': ' postgres ',
        'public.orders': 'public.marks',
      };
      const done = await ground.shell(commands!, names);
      expect(done).toMatchObject({ status: 0, says: expect.stringMatching(/(every checksum was right[^]*){2}/) });
      expect(await ground.sql('SELECT count(*)::int AS n, bool_or(n = 2) AS two FROM marks_then')).toEqual([
        { n: marks, two: true },
      ]);
      expect((await readdir(ground.folder)).filter((name) => name.startsWith('db-backup-drill-'))).toEqual([]);
      await ground.sql('DROP TABLE marks_then; INSERT INTO marks VALUES (2)');
      await ground.sql('DROP DATABASE postgres_then');
    });

  test('a receiver, a server and a daemon that are killed leave no gap', async () => {
    const receivers = await processesWith(`pg_receivewal\0-D\0${ground.folder}`);
    expect(receivers).toHaveLength(1);
    for (const receiver of receivers) process.kill(Number.parseInt(receiver, 10), 'SIGKILL');
    await ground.mark();
    await ground.sql('SELECT pg_switch_wal()');
    await ground.logged('the stream of WAL broke off');
    // So does the server: one of its processes is killed, and it comes up again from its WAL.
    const [sender] = await ground.sql(
      "SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = 'db_backup' AND active",
    );
    const walWriter = async (): Promise<unknown> =>
      (await ground.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'"))[0]?.['pid'];
    const writer = await walWriter();
    process.kill(Number(sender?.['pid'] ?? writer), 'SIGKILL');
    // The server notices a moment later, and ends all its processes then.
    while ([undefined, writer].includes(await walWriter().catch(() => undefined))) await sleep(50);
    await ground.mark();
    // And the daemon, whose receiver lives a little longer: what it has just begun to write is not taken from under it.
    while ((await ground.sql('SELECT FROM pg_replication_slots WHERE active')).length === 0) await sleep(50);
    const [orphan] = (await processesWith(`pg_receivewal\0-D\0${ground.folder}`)) as [string];
    const pid = Number.parseInt(orphan, 10);
    process.kill(pid, 'SIGSTOP');
    while (!(await readFile(`/proc/${pid}/status`, 'utf8')).includes('(stopped)')) await sleep(10);
    await ground.endDaemon('SIGKILL');
    await ground.mark();
    await ground.sql('SELECT pg_switch_wal()');
    const [{ name }] = (await ground.sql('SELECT pg_walfile_name(pg_current_wal_lsn() + 32000000) AS name')) as [
      { name: string },
    ];
    const begun = join(ground.folder, 'backups/wal/postgres/incoming', `${name}.partial`);
    await writeFile(begun, 'begun');
    await ground.startDaemon();
    await ground.logged('the stream of WAL broke off');
    expect(await readFile(begun, 'utf8')).toBe('begun');
    process.kill(pid, 'SIGCONT');
    const last = await ground.mark();
    await ground.recoverableTo(last, ...from);
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows?.[0]).not.toHaveProperty('gap');
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    expect(await ground.marksAfter('killed', '--to', 'latest', ...from)).toBe(marks);
  });

  test('the records of a finished segment go to its end, and no further than a place where bytes are gone or wrong', async () => {
    const folder = join(ground.folder, 'backups/wal/postgres/00000001');
    const codec = major === 15 ? 'gzip' : 'zstd';
    const names = (await readdir(folder)).filter((name) => /^[0-9A-F]{24}\.(gz|zst)$/.test(name));
    expect(names.length).toBeGreaterThan(1);
    let tried = 0;
    for (const name of names) {
      const raw = await decompressFrame(codec, await readFile(join(folder, name)), SEGMENT);
      const { number } = parseWalFile(name.slice(0, 24), SEGMENT) as { number: bigint };
      const start = number * BigInt(SEGMENT);
      expect(reachOf(raw, start)).toBe(start + BigInt(SEGMENT));
      expect(reachOf(raw, start + 1n)).toBe(start + 41n);
      // The zeros behind a switch are none of its records, and of one from the segment before the checksum is not known here.
      const filled = raw.findLastIndex((byte) => byte !== 0);
      // The server that was killed may have given a record up in its middle: that one is passed over unread.
      const isGivenUp = (at: number): boolean => (raw[at + 2]! & 0x08) !== 0;
      if (Array.from({ length: SEGMENT / 8192 }, (_, page) => page * 8192).some(isGivenUp)) continue;
      for (let cut = 65_536 + 64; cut < filled; cut += Math.ceil(filled / 16 / 8192) * 8192 + 8) {
        tried += 1;
        const wrong = Buffer.from(raw);
        for (let at = cut; at < cut + 16; at += 1) wrong[at]! ^= 0x10;
        for (const bytes of [Buffer.from(raw).fill(0, cut), Buffer.from(raw).fill(0, cut, cut + 16), wrong]) {
          if (!bytes.equals(raw)) {
            // A record may have zeros there by itself: it is whole up to the first byte that is another one.
            let first = cut;
            while (bytes[first] === raw[first]) first += 1;
            expect(reachOf(bytes, start)).toBeLessThanOrEqual(start + BigInt(first + 16));
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(10);
  });

  if (thorough)
    test('the commands of docs/pitr.md work as they stand there', async () => {
      const [block] = await blocksOf('docs/pitr.md', 'sh', '## Use');
      const instant = await ground.mark();
      const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
      await ground.recoverableTo(await ground.mark());
      const into = join(ground.folder, 'by-the-document');
      const names = { '/var/lib/postgresql/recovered': into, '2026-01-31T14:05:00Z': instant };
      const done = await ground.shell(block!, names);
      expect(done).toMatchObject({ status: 0, says: expect.stringContaining(`${into} is ready`) });
      expect(await ground.marksIn(into)).toBe(marks);
    });

  test('what is stored recovers without us, by the commands of docs/pitr.md', async () => {
    const instant = await ground.mark();
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    await ground.sql('SELECT pg_switch_wal()');
    await ground.recoverableTo(await ground.mark(), '--target', 'local');
    await ground.sql('SELECT pg_switch_wal()');
    await ground.recoverableTo(await ground.mark(), '--target', 'local');
    const { label } = await ground.base();
    const into = join(ground.folder, 'without-us');
    const blocks = await blocksOf('docs/pitr.md', 'sh', '## Without this program');
    const done = await ground.shell(
      blocks.find((each) => each.includes(major === 15 ? 'gunzip' : 'zstd -dcq'))!,
      {
        ...{
          base_shop_20260131_010000: label,
          '/backups/wal/shop/': '/backups/wal/postgres/',
          '2026-01-31 14:05:00+00': instant.replace('T', ' ').replace('Z', '+00'),
        },
        ...{ '/backups/': `${join(ground.folder, 'backups')}/`, '/var/lib/postgresql/recovered': into },
      },
    );
    expect(done).toMatchObject({ status: 0, says: expect.stringContaining('backup successfully verified') });
    await ground.giveToServer(into, `${into}.tablespaces`, join(ground.folder, 'backups'));
    expect(await ground.marksIn(into)).toBe(marks);
  });

  test('targets that cannot be reached are refused with the nearest that can, and nothing is written', async () => {
    const into = join(ground.folder, 'refused');
    const future = await ground.run('recover', '--to', '2100-01-01T00:00:00Z', '--into', into);
    expect(future).toMatchObject({ status: 40, stderr: expect.stringContaining('the last before it that can is') });
    const past = await ground.run('recover', '--to', '2001-01-01T00:00:00Z', '--into', into);
    expect(past).toMatchObject({ status: 40, stderr: expect.stringContaining('the first after it is') });
    expect(await ground.run('recover', '--to', '2026-01-01 10:00', '--into', into)).toMatchObject({ status: 2 });
    expect(await readdir(ground.folder)).not.toContain('refused');
  });

  // Those of the system cannot be taken away: the other version shows it then.
  if (!existsSync(`/usr/lib/postgresql/${major}`))
    test('without server programs of the very version nothing is fetched', async () => {
      const into = join(ground.folder, 'refused');
      const other = installedVersions().find((version) => version.major > major);
      const env = { ...ground.env, BACKUP_PROGRAM_DIRECTORIES: other?.binDirectory ?? '/nonexistent' };
      const wrong = await backupManager(['recover', '--start', '--into', into], env);
      expect(wrong).toMatchObject({ status: 50, stderr: expect.stringContaining(`server programs of version ${major}`) });
      expect(await readdir(ground.folder)).not.toContain('refused');
    });

  testWithMounts(
    'a disk that is too small is told before anything is fetched, and one that fills up leaves nothing behind',
    async () => {
      const small = join(ground.folder, 'small');
      await withMount(small, 'size=8m', async () => {
        const full = await ground.run('recover', '--into', join(small, 'data'));
        expect(full).toMatchObject({ status: 20, stderr: expect.stringMatching(/there is no room in .*: it needs .* are free/) });
        expect(await readdir(small)).toEqual([]);
      });
      // It has the room, and then takes no more files.
      await withMount(small, 'size=1g,nr_inodes=300', async () => {
        const full = await ground.run('recover', '--into', join(small, 'data'));
        expect(full).toMatchObject({ status: 20, stderr: expect.stringMatching(/takes no more files[^]*No space left/) });
        expect(await readdir(small)).toEqual([]);
      });
      await rm(small, { recursive: true });
    },
  );

  test('a folder that holds something is refused', async () => {
    const into = join(ground.folder, 'full');
    await mkdir(into);
    await writeFile(join(into, 'postmaster.pid'), '1');
    const refused = await ground.run('recover', '--into', into);
    expect(refused).toMatchObject({ status: 40, stderr: expect.stringContaining('a server may be running on it') });
    expect(await readFile(join(into, 'postmaster.pid'), 'utf8')).toBe('1');
  });

  test('a segment that is damaged, cut off, of another server or missing is found before anything is started, and an intact copy elsewhere serves', async () => {
    const { wal } = await ground.json('recover', '--plan', '--to', 'latest');
    const name = String(wal?.[0]);
    const folder = join(ground.folder, 'backups/wal/postgres', name.slice(0, 8));
    const file = join(
      folder,
      (await readdir(folder)).find((each) => each.startsWith(name) && !each.endsWith('.meta'))!,
    );
    const whole = await readFile(file);
    const damaged = Buffer.from(whole);
    const middle = Math.floor(damaged.length / 2);
    damaged[middle] = damaged[middle]! ^ 0x10;
    expect(damaged).not.toEqual(whole);
    await writeFile(file, damaged);
    const into = join(ground.folder, 'damaged');
    const refused = async (says: string) => {
      const alone = await ground.run('recover', '--into', into, '--target', 'local');
      expect(alone).toMatchObject({ status: 30, stderr: expect.stringContaining(`${file} is damaged: ${says}`) });
      expect(await readdir(ground.folder)).not.toContain('damaged');
    };
    try {
      await refused('its bytes are not those that were stored');
      // A server is at work by then: it ends, and nothing is left of it.
      const started = await ground.run('recover', '--start', '--into', into, '--target', 'local');
      expect(started).toMatchObject({ status: 30, stderr: expect.stringContaining(file) });
      expect((await readdir(ground.folder)).filter((each) => each.startsWith('damaged'))).toEqual([]);
      expect(await processesWith(into)).toEqual([]);
      if (major === 17) {
        await writeFile(file, whole.subarray(0, middle));
        await refused('its bytes are not those that were stored');
      } else {
        // With a checksum that is right.
        const raw = gunzipSync(whole);
        raw.writeBigUInt64LE(1234567890123456789n, 24);
        const segment = parseWalFile(name, raw.length)!;
        const of = { source: 'postgres', systemIdentifier: '1234567890123456789', moments: [], clock: systemClock };
        const { bytes, meta } = await packWal(segment, raw, { ...of, codec: 'gzip', level: 1 });
        const described = await readFile(`${file}.meta`);
        await writeFile(file, bytes);
        await writeFile(`${file}.meta`, serializeWalMeta(meta));
        await refused('it is from another server (1234567890123456789)');
        await writeFile(`${file}.meta`, described);
      }
      await rm(file);
      const { unusable } = await ground.json('list-backups', '--recoverable', '--target', 'local');
      expect(unusable).toContainEqual(expect.objectContaining({ why: expect.stringContaining(`${name} is missing`) }));
      const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
      // The physical backup beside it as well.
      await writeFile(file, damaged);
      const { base } = await ground.json('recover', '--plan', '--to', 'latest');
      const archive = join(ground.folder, 'backups/base', String(base), `base.tar.${major === 15 ? 'gz' : 'zst'}`);
      const bytes = await readFile(archive);
      const turned = Buffer.from(bytes);
      turned[turned.length >> 1]! ^= 0x10;
      await writeFile(archive, turned);
      try {
        if (process.env['PITR_FAULTS'] === 'all') {
          await writeFile(archive, bytes);
          const { status, phases } = JSON.parse(
            (await backupManager(['monthly-drill', '--pitr', '--json'], { ...ground.env, DRILL_FROM: 'local' })).stdout,
          ) as PitrDrillReport;
          expect([status, phases.find(({ name }) => name === 'newest')!.verdict]).toEqual(['failure', 'failed']);
          expect(JSON.stringify(phases)).toContain(`${file} is damaged`);
          await writeFile(archive, turned);
        }
        const without = await ground.run('recover', '--into', into, '--to', 'immediate', '--target', 'local');
        expect(without).toMatchObject({ status: 30, stderr: expect.stringContaining(archive) });
        expect(await readdir(ground.folder)).not.toContain('damaged');
        if (s3) expect(await ground.marksAfter('mended', '--to', 'latest')).toBe(marks);
      } finally {
        await writeFile(archive, bytes);
      }
    } finally {
      await writeFile(file, whole);
    }
  });

  test('a slot that is dropped behind our back is made again, and the gap is told', async () => {
    await ground.endDaemon('SIGTERM');
    await ground.sql(`SELECT pg_drop_replication_slot('db_backup')`);
    let inTheGap = '';
    for (let i = 0; i < 3; i += 1) {
      inTheGap = await ground.mark();
      await ground.sql('SELECT pg_switch_wal()');
    }
    await ground.sql('CHECKPOINT');
    await ground.startDaemon();
    await ground.logged('the replication slot was made');
    const made = await ground.json('create-backup', '--physical');
    expect(made).toMatchObject({ outcome: 'success' });
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows?.[0]).toMatchObject({ base: made.label });
    expect(windows?.[1]?.gap).toMatch(/was never finished/);
    const between = await ground.run('recover', '--to', inTheGap, '--into', join(ground.folder, 'refused'));
    expect(between).toMatchObject({
      status: 40,
      stderr: expect.stringMatching(/the last before it that can is .*, the first after it is .*was never finished/),
    });
  });

  test('WAL of another server is refused under the same name', async () => {
    await ground.endDaemon('SIGTERM');
    const claim = join(ground.folder, 'backups/wal/postgres/archive.json');
    await writeFile(claim, (await readFile(claim, 'utf8')).replace(/"\d{10,}"/, '"1234567890123456789"'));
    await ground.startDaemon('WAL cannot be streamed');
    const line = ground.lines.find(({ msg }) => msg === 'WAL cannot be streamed');
    expect(line).toMatchObject({ code: 'SOURCE_CHANGED', message: expect.stringContaining('1234567890123456789') });
  });
});
