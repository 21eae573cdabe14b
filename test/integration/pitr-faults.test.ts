import * as fs from 'node:fs/promises';
import { appendFile, mkdir, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client } from 'pg';
import { readObject } from '../../src/catalog/catalog.ts';
import { parseLsn } from '../../src/catalog/lsn.ts';
import { parseWalFile, walKey, type WalFile } from '../../src/catalog/wal-names.ts';
import { compressFrame, decompressFrame } from '../../src/codec/frame.ts';
import { connect, libpqEnvironment, withClient } from '../../src/postgres/connection.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { bytesContent } from '../../src/storage/content.ts';
import { createS3Storage } from '../../src/storage/s3.ts';
import { reachOf } from '../../src/wal/segment-reach.ts';
import { readStreamState } from '../../src/wal/stream-state.ts';
import { sourceSettings } from '../support/command.ts';
import { startDaemon } from '../support/daemon.ts';
import { startTestServer } from '../support/dump-to-file.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { PitrGround } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith } from '../support/processes.ts';
import { startS3Server } from '../support/s3-server.ts';
import { startStandby, type Standby } from '../support/standby.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const s3 = await startS3Server();
/** What takes longer, and the other version, by hand and where it is asked for: PITR_FAULTS=all. */
const ALL = process.env['PITR_FAULTS'] === 'all';
const MAJORS = (ALL ? [15, 17] : [17]).filter((major) => installedVersions().some((version) => version.major === major));
const whereAsked =
  (run: typeof test.skip) =>
  (name: string, body: () => Promise<void>): void => {
    if (ALL) run(name, body);
  };
const testLong = whereAsked(test);
const testLongWithMounts = whereAsked(testWithMounts);

const SEGMENT = 16 * 2 ** 20;
/** How long the bucket is away under load: minutes by hand, PITR_BUCKET_AWAY=300. */
const AWAY_SECONDS = Number(process.env['PITR_BUCKET_AWAY'] ?? 0);

afterAll(async () => await s3?.stop());

/** Takes all of them. The server frees that of a program a moment after the program has ended: one refused is asked for again. */
async function allWalsenders(ground: PitrGround, count: number): Promise<readonly Client[]> {
  const taken: Client[] = [];
  while (taken.length < count) {
    try {
      taken.push(await connect(ground.server.connection, { replication: true }));
    } catch (error) {
      if (!String(error).includes('max_wal_senders')) throw error;
      await sleep(50);
    }
  }
  return taken;
}

describe.each(MAJORS)('faults around point-in-time recovery of PostgreSQL %i', (major) => {
  let ground: PitrGround;
  let toBucket: TcpProxy | undefined;
  let toSource: TcpProxy;
  let standby: Standby | undefined;

  beforeAll(async () => {
    ground = await PitrGround.open(major, s3);
    const { host, port } = ground.server.connection;
    toSource = await startTcpProxy(join(host, `.s.PGSQL.${port}`));
    toBucket = s3 && (await startTcpProxy(Number(new URL(s3.endpoint).port)));
    if (toBucket) ground.env['BACKUP_S3_ENDPOINT'] = `http://127.0.0.1:${toBucket.port}`;
    Object.assign(ground.env, { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(toSource.port) });
    Object.assign(ground.env, {
      BACKUP_STALL_TIMEOUT: '5',
      BACKUP_STORAGE_ATTEMPTS: '1',
      PITR_STALL_SECONDS: '3',
      POSTGRES_CONNECT_TIMEOUT: '2',
      PITR_SPOOL_MIB: '80',
    });
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY)');
    await ground.startDaemon();
    expect(await ground.json('create-backup', '--physical')).toMatchObject({ outcome: 'success' });
  });

  afterAll(async () => {
    await ground.endDaemon('SIGKILL');
    await standby?.stop();
    await ground.close();
    await toSource.stop();
    await toBucket?.stop();
  });

  test('a network that carries nothing and breaks nothing is given up, and the stream goes on', async () => {
    await ground.mark();
    // As a look may have at that moment: the server has it as long as the stream's.
    const { connection } = ground.server;
    const other = await connect({ ...connection, host: '127.0.0.1', port: toSource.port }, { replication: true });
    toSource.freeze();
    while (!ground.lines.some(({ message }) => String(message).includes('no WAL has come for 3 s'))) await sleep(50);
    const during = await ground.mark();
    toSource.thaw();
    await ground.recoverableTo(during);
    other.connection.stream.destroy();
    toSource.dropFrozen();
  });

  test('a second daemon on the same slot says so, takes nothing away, and calls nothing received that the first has', async () => {
    const user = async () => await ground.sql('SELECT active_pid AS pid FROM pg_replication_slots');
    const before = await user();
    const other = join(ground.folder, 'second');
    await mkdir(other);
    const second = startDaemon({ ...ground.env, BACKUP_DIR: other, BACKUP_S3_BUCKET: '' });
    try {
      expect(await second.logged('the stream of WAL broke off')).toMatchObject({
        message: expect.stringContaining(`db_backup is in use already: process ${String(before[0]!['pid'])}`),
        hint: expect.stringContaining('PITR_SLOT'),
      });
      const folder = join(other, 'wal/postgres/incoming');
      const time = async () => (await readStreamState(folder))?.source?.time;
      // Two looks at the source later.
      for (let looks = 0; looks < 2; looks += 1) {
        const last = await time();
        while ((await time()) === last) await sleep(50);
      }
      const state = await readStreamState(folder);
      expect(state).toMatchObject({ phase: 'failing', problem: { message: expect.stringContaining('is in use already') } });
      expect(state).not.toHaveProperty('received');
      expect(await user()).toEqual(before);
    } finally {
      second.process.kill('SIGTERM');
      await second.ended;
    }
  });

  if (s3)
    test('an open segment with a hole is not copied, heals, and a copy with a hole counts as far as it goes', async () => {
      const incoming = join(ground.folder, 'backups/wal/postgres/incoming');
      const open = async (): Promise<WalFile & { number: bigint }> => {
        const files = (await readdir(incoming)).flatMap((name) => parseWalFile(name, SEGMENT) ?? []);
        return files.find(({ kind }) => kind === 'partial') as WalFile & { number: bigint };
      };
      const reach = (raw: Uint8Array, { number }: { number: bigint }) => reachOf(raw, number * BigInt(SEGMENT));
      const window = async (target: string) =>
        (await ground.json('list-backups', '--recoverable', '--target', target)).windows![0]!;
      await ground.sql('SELECT pg_switch_wal()');
      const first = await ground.mark();
      await ground.recoverableTo(first, '--target', 's3');
      // What is written afterwards follows the hole.
      const path = join(incoming, (await open()).name);
      const file = await fs.open(path, 'r+');
      const hole = reach(await readFile(path), await open());
      await file.write(Buffer.alloc(64), 0, 64, Number(hole % BigInt(SEGMENT)) - 64);
      await file.close();
      const { targets } = await ground.streamState((state) => state.targets.some(({ problem }) => problem !== undefined));
      expect(targets.find(({ target }) => target === 's3')?.problem).toMatch(/open segment .* goes to .* is said to go to/);
      expect((await window('local')).short).toContain(`${path} goes to`);
      const kept = await window('s3');
      expect(kept).not.toHaveProperty('short');
      expect(kept.toTime! >= first).toBe(true);
      // A receiver that starts writes its open segment anew.
      const [receiver] = await processesWith(`pg_receivewal\0-D\0${ground.folder}`);
      process.kill(Number.parseInt(receiver!, 10), 'SIGKILL');
      const second = await ground.mark();
      const [{ lsn, n: marks }] = (await ground.sql(
        'SELECT pg_current_wal_insert_lsn()::text AS lsn, count(*)::int AS n FROM marks',
      )) as [{ lsn: string; n: number }];
      await ground.recoverableTo(second, '--target', 's3');
      expect(await window('local')).not.toHaveProperty('short');
      const last = await ground.mark();
      await ground.recoverableTo(last, '--target', 's3');
      await ground.recoverableTo(last, '--target', 'local');
      await ground.endDaemon('SIGKILL');

      const bucket = createS3Storage({ name: 's3', bucket: `pitr-${major}`, prefix: 'database-backups', ...s3 });
      const codec = major === 15 ? 'gzip' : 'zstd';
      const key = walKey('postgres', await open(), codec);
      const raw = await decompressFrame(codec, await readObject(bucket, key), SEGMENT);
      const put = async (bytes: Uint8Array) => await bucket.put(key, bytesContent(await compressFrame(codec, bytes, 1)));
      const foreign = Buffer.from(raw);
      foreign.writeBigUInt64LE(1234567890123456789n, 24);
      await put(foreign);
      expect((await window('s3')).short).toMatch(/\.partial.* is from another server \(1234567890123456789\)/);
      const refusedForeign = await ground.run(
        'recover',
        '--to',
        'latest',
        '--into',
        join(ground.folder, 'foreign'),
        '--target',
        's3',
      );
      expect(refusedForeign).toMatchObject({ status: 30, stderr: expect.stringContaining('it is from another server') });
      raw.fill(0, Number(parseLsn(lsn) % BigInt(SEGMENT)));
      await put(raw);
      bucket.close();
      const damaged = await window('s3');
      expect(damaged.short).toMatch(/\.partial.* goes to .*, and was to go to/);
      expect(damaged.toTime! < last).toBe(true);
      const refused = await ground.run('recover', '--plan', '--to', last, '--target', 's3');
      expect(refused).toMatchObject({ status: 40, stderr: expect.stringContaining('and was to go to') });
      expect(await ground.marksAfter('hole', '--to', 'latest', '--target', 's3')).toBe(marks);
      // The copy of this machine goes farther.
      expect(await ground.marksAfter('farthest', '--to', 'latest')).toBe(marks + 1);
      await ground.startDaemon();
      await ground.recoverableTo(await ground.mark(), '--target', 's3');
    });

  if (s3 && (ALL || AWAY_SECONDS > 0))
    test(
      'a bucket that is away under load: nothing is lost, what waits is shown and limited, and it catches up',
      async () => {
        await ground.sql(`CREATE TABLE written (n serial, filler text DEFAULT repeat('x', 2000))`);
        const script = join(ground.folder, 'load.sql');
        await writeFile(script, 'INSERT INTO written DEFAULT VALUES;');
        const { port } = toBucket!;
        await toBucket!.stop();
        let said = '';
        const load = runProgram(
          join(ground.server.programs.directory, 'pgbench'),
          ['-n', '-c', '4', '-R', '500', '-T', String(AWAY_SECONDS || 5), '-f', script],
          { env: libpqEnvironment(ground.server.connection), stdout: (chunk) => void (said += String(chunk)) },
        );
        try {
          for (let i = 0; i < 8; i += 1) {
            await ground.mark();
            await ground.sql('SELECT pg_switch_wal()');
          }
          const held = await ground.streamState(({ phase }) => phase === 'held');
          expect(held.problem?.message).toContain('PITR_SPOOL_MIB');
          const waiting = held.targets.find(({ target }) => target === 's3')!;
          expect(waiting.waitingFiles).toBeGreaterThanOrEqual(4);
          expect((await ground.health())['wal copies s3']).toMatchObject({
            verdict: expect.not.stringMatching('ok'),
            says: expect.stringMatching(/ s behind the source; \d+ files \(.*\) wait for it/),
          });
          // The directory does not wait for the bucket.
          await ground.streamState(({ targets }) => targets.find(({ target }) => target === 'local')!.waitingFiles === 0);
        } finally {
          await load.finally(async () => (toBucket = await startTcpProxy(Number(new URL(s3.endpoint).port), port)));
        }
        const last = await ground.mark();
        const acknowledged = Number(/actually processed: (\d+)/.exec(said)![1]);
        expect(acknowledged).toBeGreaterThan(1000);
        await ground.recoverableTo(last, '--target', 's3');
        const { targets } = await ground.streamState((state) => state.targets.every(({ waitingFiles }) => waitingFiles === 0));
        expect(targets).toHaveLength(2);
        expect((await ground.health())['wal copies s3']).toMatchObject({ verdict: 'ok' });
        const { rows } = await ground.inspect('away', 'SELECT count(*)::int AS n FROM written', '--target', 's3');
        expect(rows).toEqual([{ n: acknowledged }]);
      },
      (AWAY_SECONDS + 300) * 1000,
    );

  test('a slot that the source gave up is told, a new chain begins, and the gap is in the ledger', async () => {
    await ground.endDaemon('SIGTERM');
    await ground.sql(`ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'`);
    await ground.sql('SELECT pg_reload_conf()');
    for (let i = 0; i < 4; i += 1) {
      await ground.mark();
      await ground.sql('SELECT pg_switch_wal()');
    }
    await ground.sql('CHECKPOINT');
    expect(await ground.sql('SELECT wal_status FROM pg_replication_slots')).toEqual([{ wal_status: 'lost' }]);
    await ground.sql('ALTER SYSTEM RESET max_slot_wal_keep_size');
    await ground.sql('SELECT pg_reload_conf()');
    await ground.startDaemon();
    await ground.logged('the server has given up WAL that was not fetched yet');
    const made = await ground.json('create-backup', '--physical');
    expect(made).toMatchObject({ outcome: 'success' });
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows?.[0]).toMatchObject({ base: made.label });
    expect(windows?.[0]).not.toHaveProperty('gap');
    expect(windows?.[1]?.gap).toMatch(/was never finished|is missing/);
  });

  test('the source acknowledges no commit that is not here, where it is told so, and losing us is shown', async () => {
    await ground.sql(`ALTER SYSTEM SET synchronous_standby_names = 'db_backup'`);
    // It asks for an answer before it gives up a connection, and gets one for the open segment, too: the commit would go on by luck.
    await ground.sql('ALTER SYSTEM SET wal_sender_timeout = 0');
    await ground.sql('SELECT pg_reload_conf()');
    // Until now the receiver has told the source of whole segments only: it has to begin anew for this commit.
    await ground.streamState(({ source }) => source?.commits === 'us');
    const [{ lsn }] = (await ground.sql(
      `BEGIN; SET LOCAL synchronous_commit = on; CREATE TABLE waited (); CREATE TEMP TABLE at AS SELECT pg_current_wal_insert_lsn() AS lsn; COMMIT; SELECT lsn FROM at`,
    )) as [{ lsn: string }];
    expect(await ground.sql(`SELECT restart_lsn > '${lsn}' AS here FROM pg_replication_slots`)).toEqual([{ here: true }]);
    const acknowledged = new Date().toISOString();
    await ground.streamState(({ source }) => source?.commits === 'us' && source.time > acknowledged);
    expect((await ground.health())['commits']).toMatchObject({ verdict: 'ok' });
    await ground.endDaemon('SIGTERM');
    const waiting = ground.sql('BEGIN; SET LOCAL synchronous_commit = on; DROP TABLE waited; COMMIT');
    while ((await ground.sql(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length === 0) await sleep(50);
    expect((await ground.health())['commits']).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining('they wait for us, and nothing is received'),
      hint: expect.stringContaining('ALTER SYSTEM RESET synchronous_standby_names'),
    });
    await ground.startDaemon();
    await waiting;
    await ground.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await ground.sql('ALTER SYSTEM RESET wal_sender_timeout');
    await ground.sql('SELECT pg_reload_conf()');
    ground.env['PITR_SYNCHRONOUS'] = 'true';
    await ground.streamState(({ source }) => source?.commits === 'nobody');
    expect((await ground.health())['commits']).toMatchObject({
      verdict: 'fail',
      says: expect.stringContaining('do not wait for us'),
    });
    delete ground.env['PITR_SYNCHRONOUS'];
  });

  test('a physical backup whose WAL does not arrive is a failure, and is not listed', async () => {
    await ground.endDaemon('SIGTERM');
    const before = await ground.json('list-backups', '--recoverable');
    ground.env['PITR_WAL_WAIT_SECONDS'] = '1';
    const made = await ground.json('create-backup', '--physical');
    expect(made).toMatchObject({
      outcome: 'failure',
      error: { code: 'BACKUP_DAMAGED', message: expect.stringContaining('did not arrive') },
    });
    const { windows, unusable } = await ground.json('list-backups', '--recoverable');
    expect(windows!.map(({ base }) => base)).toEqual(before.windows!.map(({ base }) => base));
    expect(unusable).toEqual(before.unusable);
    delete ground.env['PITR_WAL_WAIT_SECONDS'];
  });

  test('a server that lets nobody replicate is told in plain words, with what to do', async () => {
    await ground.endDaemon('SIGTERM');
    const { stdout } = await ground.run('health', '--json');
    expect(stdout).toContain('the server lets its WAL be streamed');
    const says = async (message: string, hint: string): Promise<void> => {
      const told = { says: expect.stringContaining(message), hint: expect.stringContaining(hint) };
      expect((await ground.health())['replication']).toMatchObject({ verdict: 'fail', ...told });
    };
    const refuses = async (message: string, hint: string): Promise<void> => {
      const error = { message: expect.stringContaining(message), hint: expect.stringContaining(hint) };
      expect(await ground.json('create-backup', '--physical')).toMatchObject({ outcome: 'failure', error });
    };
    const env = { ...ground.env };
    await ground.sql('CREATE ROLE poor LOGIN');
    ground.env['POSTGRES_USER'] = 'poor';
    await says('the role "poor" may not replicate', 'ALTER ROLE poor REPLICATION');
    Object.assign(ground.env, env);

    const taken = await allWalsenders(ground, 6);
    await refuses('no free walsender (max_wal_senders = 6', 'Raise max_wal_senders');
    await Promise.all(taken.map(async (client) => await client.end()));

    const hba = join(ground.server.server.dataDirectory, 'pg_hba.conf');
    const lines = await readFile(hba, 'utf8');
    await writeFile(hba, lines.replaceAll(/^.*\breplication\b.*$/gm, ''));
    const mayReplicate = async () =>
      await connect(ground.server.connection, { replication: true }).then(
        async (client) => await client.end().then(() => true),
        () => false,
      );
    await ground.sql('SELECT pg_reload_conf()');
    while (await mayReplicate()) await sleep(50);
    await says('lets this machine in, but not for replication', 'pg_hba.conf');
    await refuses('lets this machine in, but not for replication', 'pg_hba.conf');
    await writeFile(hba, lines);
    await ground.sql('SELECT pg_reload_conf()');
    while (!(await mayReplicate())) await sleep(50);

    const minimal = await startTestServer(major, { settings: { wal_level: 'minimal', max_wal_senders: '0' } });
    try {
      Object.assign(ground.env, sourceSettings(minimal.connection));
      await says('wal_level = minimal', 'Set wal_level = replica');
    } finally {
      await minimal.stop();
      Object.assign(ground.env, env);
    }
  });

  test('a role with no more rights than docs/pitr.md names streams, makes physical backups and recovers', async () => {
    const env = { ...ground.env };
    await ground.endDaemon('SIGTERM');
    await ground.sql(
      'CREATE ROLE backup LOGIN; ALTER ROLE backup REPLICATION; GRANT EXECUTE ON FUNCTION pg_switch_wal() TO backup',
    );
    ground.env['POSTGRES_USER'] = 'backup';
    await ground.startDaemon();
    await ground.streamState(({ source }) => source?.receiverHidden === true);
    const made = await ground.json('create-backup', '--physical');
    expect(made).toMatchObject({ outcome: 'success' });
    await ground.recoverableTo(await ground.mark());
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    expect(await ground.recovered('by-the-role', '--base', made.label!)).toMatchObject({ marks });
    const health = await ground.health();
    for (const name of ['replication', 'wal stream', 'wal at source', 'base backup'])
      expect(health[name]).toMatchObject({ verdict: 'ok' });
    await ground.endDaemon('SIGTERM');
    Object.assign(ground.env, env);
  });

  testLongWithMounts(
    'a disk that fills up while a server replays: it is told, and nothing is left that would start',
    async () => {
      await ground.startDaemon();
      await ground.sql("DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE many_%s (n int)', i); END LOOP; END $$");
      await ground.recoverableTo(await ground.mark());
      // Enough for what the backup has, and not for the tables that came since.
      const { base } = await ground.json('recover', '--plan');
      const manifest = await readFile(join(ground.folder, 'backups/base', base!, 'backup_manifest'), 'utf8');
      const files = manifest.split('"Path"').length + 200;
      const small = join(ground.folder, 'small');
      await withMount(small, `size=2g,nr_inodes=${files}`, async () => {
        const full = await ground.run('recover', '--start', '--into', join(small, 'data'), '--target', 'local');
        expect(full).toMatchObject({ status: 20, stderr: expect.stringMatching(/ended before it was recovered.*No space left/) });
        expect(await readdir(small)).toEqual([]);
      });
      await rm(small, { recursive: true });
    },
  );

  testLong(
    'of a standby no more is called recoverable than it has; its promotion is followed along the new timeline',
    async () => {
      await ground.endDaemon('SIGTERM');
      await ground.startDaemon();
      // While WAL is streamed: it has none from before it was made.
      standby = await startStandby(ground.server, {});
      await ground.recoverableTo(await ground.mark());
      await ground.endDaemon('SIGTERM');
      const { host, port } = standby.connection;
      Object.assign(ground.env, { POSTGRES_HOST: host, POSTGRES_PORT: String(port) });
      await ground.startDaemon();
      let last = await ground.mark();
      const instant = last;
      // Each commit shows that the one before is there.
      for (let newest = ''; newest < instant; last = await ground.mark()) {
        const { windows } = await ground.json('list-backups', '--recoverable');
        newest = windows![0]!.toTime ?? '';
        expect(newest <= last).toBe(true);
      }

      await standby.caughtUp();
      const { connection } = standby;
      const sql = async (text: string) =>
        await withClient(connection, async (client) => (await client.query<{ n: string }>(text)).rows);
      await sql('SELECT pg_promote()');
      await sql('INSERT INTO marks SELECT count(*) + 1 FROM marks');
      const [after] = await sql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS n`);
      const [marks] = await sql('SELECT count(*)::text AS n FROM marks');
      await ground.recoverableTo(after!.n);
      expect(await readdir(join(ground.folder, 'backups/wal/postgres/00000002'))).toContainEqual(
        expect.stringMatching(/^00000002\.history\.(gz|zst)$/),
      );
      expect(await ground.marksAfter('promoted', '--to', 'latest', '--target', 'local')).toBe(Number(marks!.n));
      // Along the timeline that was left there is only what came before.
      const left = await ground.run('recover', '--to', after!.n, '--timeline', '1', '--into', join(ground.folder, 'refused'));
      expect(left).toMatchObject({ status: 40, stderr: expect.stringContaining('the last before it that can is') });
      expect(await ground.json('recover', '--plan', '--to', instant, '--timeline', '1')).toMatchObject({ timeline: 1 });
    },
  );

  testLongWithMounts(
    'a disk of the archive that is full: the source keeps its WAL, and as a last resort is freed of it',
    async () => {
      const env = { ...ground.env };
      const small = join(ground.folder, 'small');
      await ground.endDaemon('SIGTERM');
      await withMount(small, 'size=160m', async () => {
        Object.assign(ground.env, { BACKUP_DIR: small, PITR_DROP_SLOT_MIB: '112', BACKUP_S3_BUCKET: '', BACKUP_S3_ENDPOINT: '' });
        Object.assign(ground.env, { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(toSource.port) });
        const filler = join(small, 'filler');
        /** Segments come, and what is free is taken by somebody else, until it is so. */
        const fillUntil = async (isSo: () => boolean | Promise<boolean>) => {
          while (!(await isSo())) {
            const { bavail, bsize } = await statfs(small);
            await appendFile(filler, Buffer.alloc(Math.max(0, bavail * bsize - 4 * 2 ** 20)));
            await ground.mark();
            await ground.sql('SELECT pg_switch_wal()');
            await sleep(500);
          }
        };
        const isFull = async () => /there is no room for WAL/.test((await ground.streamState(() => true)).problem?.message ?? '');
        try {
          await ground.startDaemon();
          await ground.streamState(({ phase, received }) => phase === 'streaming' && received !== undefined);
          await fillUntil(isFull);
          expect(await ground.streamState(() => true)).toMatchObject({
            phase: 'failing',
            problem: { hint: expect.stringContaining('Make room') },
          });
          expect((await ground.health())['wal stream']).toMatchObject({
            verdict: 'fail',
            says: expect.stringContaining('no room'),
          });
          await rm(filler);
          const last = await ground.mark();
          await ground.streamState(({ phase, received }) => phase === 'streaming' && (received?.time ?? '') >= last);
          await fillUntil(() => ground.lines.some(({ msg }) => msg === 'the slot was dropped'));
          expect(await ground.sql('SELECT FROM pg_replication_slots')).toEqual([]);
          ground.lines.length = 0;
          await rm(filler);
          await ground.logged('the replication slot was made');
        } finally {
          await ground.endDaemon('SIGTERM');
          Object.assign(ground.env, env);
          delete ground.env['PITR_DROP_SLOT_MIB'];
        }
      });
      await rm(small, { recursive: true });
    },
  );
});
