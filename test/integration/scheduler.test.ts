import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { isAtWork, readActivity, type Backend } from '../../src/postgres/backend-activity.ts';
import { connect, withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import type { Draft, LedgerEntry } from '../../src/report/ledger-entry.ts';
import { createLedger } from '../../src/report/ledger.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { backupManager, sourceSettings } from '../support/command.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startReceiver, type Receiver } from '../support/receiver.ts';
import { clockAt } from '../support/sample-ledger.ts';
import { storeSample } from '../support/stored-backups.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const NEVER = '0 0 1 1 *';
const DAY_MS = 24 * 60 * 60_000;
const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;

let server: ThrowAwayServer;
let receiver: Receiver;
let folder: string;
let daemons: Daemon[];

beforeAll(async () => {
  server = await startThrowAwayServer({ binDirectory });
  await withClient(server.connection, (client) =>
    client.query(`CREATE TABLE orders AS SELECT id, repeat(md5(id::text), 20) AS note FROM generate_series(1, 60000) AS id`),
  );
  receiver = await startReceiver();
});

afterAll(async () => {
  await receiver.stop();
  await server.stop();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scheduler-test-'));
  daemons = [];
  receiver.requests.length = 0;
});

afterEach(async () => {
  for (const daemon of daemons) {
    daemon.process.kill('SIGKILL');
    await daemon.ended;
  }
  await rm(folder, { recursive: true });
});

function settings(env: Record<string, string>): Record<string, string> {
  return {
    ...{ BACKUP_DIR: folder, BACKUP_PROGRAM_DIRECTORIES: binDirectory, BACKUP_WEBHOOK_URL: receiver.url },
    ...{ CLEANUP_SCHEDULE: NEVER, DRILL_SCHEDULE: NEVER, BACKUP_STAGGER_SECONDS: '0' },
    ...sourceSettings(server.connection),
    ...env,
  };
}

function started(env: Record<string, string>): Daemon {
  const daemon = startDaemon(settings(env));
  daemons.push(daemon);
  return daemon;
}

async function stopped(daemon: Daemon): Promise<void> {
  daemon.process.kill('SIGTERM');
  await daemon.ended;
}

/** Without those of the health check, which looks at everything when the daemon starts. */
async function entries(): Promise<LedgerEntry[]> {
  const text = await readFile(join(folder, 'logs', 'ledger.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LedgerEntry)
    .filter((entry) => entry.kind !== 'job' || entry.job !== 'health-check');
}

const alerts = () =>
  receiver.requests
    .map(({ body }) => JSON.parse(body) as { job: string; status: string; kind: string; summary: string })
    .filter(({ job }) => job === 'nightly-backup');

/** Leaves what a daemon with this schedule had left some days ago, when it was ended: a good backup, and the entries. */
async function longAgo(expression: string, days: number): Promise<void> {
  const then = new Date(Date.now() - days * DAY_MS);
  const clock = clockAt(then.toISOString());
  const ledger = createLedger({ folder: join(folder, 'logs'), root: folder, clock });
  const schedules = [
    ['nightly-backup', expression],
    ['weekly-cleanup', NEVER],
    ['restore-drill', NEVER],
  ].map(([job, when]) => ({ job: job!, expression: when!, timeZone: 'UTC', source: server.connection.database }));
  const drafts: Draft[] = [
    { kind: 'daemon started', version: '0.0.0' },
    { kind: 'schedule', schedules },
  ];
  await ledger.append(() => drafts);
  await storeSample([createDiskStorage({ name: 'local', root: folder })], then, { source: server.connection.database });
}

describe('When it starts, the daemon', () => {
  test('backs up a source that has no good backup at once, and another time only when it is due', async () => {
    const first = started({ BACKUP_SCHEDULE: NEVER });
    expect(await first.logged('due although it is no slot')).toMatchObject({ why: 'postgres has no good backup' });
    expect(await first.logged(/^backup ended/)).toMatchObject({ outcome: 'success' });
    await stopped(first);
    const second = started({ BACKUP_SCHEDULE: NEVER });
    await second.logged('nothing is due at the start');
    await stopped(second);
    expect((await entries()).filter(({ kind }) => kind === 'job')).toHaveLength(1);
  });

  test('makes up for the newest of the nights that it missed, once, enters all of them, and tells people once', async () => {
    // Twelve hours from now, so that no slot comes while the test runs.
    const hour = (new Date().getUTCHours() + 12) % 24;
    const schedule = `0 ${hour} * * *`;
    await longAgo(schedule, 3);
    const daemon = started({ BACKUP_SCHEDULE: schedule });
    const { slot } = await daemon.logged('due although it is no slot');
    expect(await daemon.logged(/^backup ended/)).toMatchObject({ outcome: 'success' });
    await stopped(daemon);

    const jobs = (await entries()).flatMap((entry) => (entry.kind === 'job' ? [entry] : []));
    expect(jobs.map(({ state }) => state)).toEqual(['missed', 'missed', 'missed', 'done']);
    const newest = jobs[2]!;
    expect(newest.slot).toBe(slot);
    expect(jobs[3]).toMatchObject({ due: slot, sameSlotAs: newest.number });
    // Told once, and over with the run that made up for it.
    expect(alerts()).toMatchObject([
      { status: 'problem', kind: 'missed', summary: expect.stringMatching(/the run of .* was missed: .*\(and 2 before it\)$/) },
      { status: 'recovery', kind: 'missed' },
    ]);
    const verified = await backupManager(['evidence', 'verify', '--json'], { BACKUP_DIR: folder });
    expect(JSON.parse(verified.stdout)).toMatchObject({
      breaks: [],
      notes: expect.arrayContaining([expect.stringContaining('made up for the missed slot')]),
    });

    const again = started({ BACKUP_SCHEDULE: schedule });
    await again.logged('nothing is due at the start');
    await stopped(again);
    expect(alerts()).toHaveLength(2);
  });

  test('makes up for nothing when told so', async () => {
    await longAgo('* * * * *', 1);
    const daemon = started({ BACKUP_SCHEDULE: NEVER, BACKUP_CATCH_UP_HOURS: '0' });
    await daemon.logged('nothing is due at the start');
    await stopped(daemon);
    // More than a thousand, in one entry.
    const missed = (await entries()).filter((entry) => entry.kind === 'job');
    expect(missed).toMatchObject([{ state: 'missed', slots: expect.any(Number) }]);
  });
});

async function expectRecovery(daemon: Daemon): Promise<void> {
  const given = await daemon.logged(/^this attempt of the dump was given up/);
  expect(given).toMatchObject({ code: 'STALLED', job: 'nightly-backup' });
  expect(await daemon.logged(/^backup ended/)).toMatchObject({ outcome: 'success' });
  await stopped(daemon);
  expect(alerts()).toMatchObject([
    { status: 'problem', kind: 'stall', summary: expect.stringContaining('no byte came from the server') },
    { status: 'recovery', kind: 'stall' },
  ]);
  const run = (await entries()).find((entry) => entry.kind === 'job');
  const report = await readFile(join(folder, 'logs', run?.kind === 'job' ? run.report!.file : ''), 'utf8');
  expect(JSON.parse(report)).toMatchObject({ warnings: [expect.stringContaining('attempt 1 of the dump was given up')] });
}

describe('A dump that stalls', () => {
  const stalling = { BACKUP_SCHEDULE: NEVER, BACKUP_STALL_SECONDS: '2' };

  test('because the network carries nothing any more is given up, told, and made again', async () => {
    const { host, port } = server.connection;
    const proxy = await startTcpProxy(join(host, `.s.PGSQL.${port}`));
    try {
      const daemon = started({ ...stalling, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(proxy.port) });
      while (proxy.passed < 2_000_000) await sleep(5);
      proxy.freeze();
      await daemon.logged(/^this attempt of the dump was given up/);
      proxy.thaw();
      await expectRecovery(daemon);
    } finally {
      await proxy.stop();
    }
  });

  test('because the process of the server is stopped in the middle of a COPY is given up, told, and made again', async () => {
    const { host, port } = server.connection;
    const proxy = await startTcpProxy(join(host, `.s.PGSQL.${port}`));
    let pid: number | undefined;
    try {
      const daemon = started({ ...stalling, POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(proxy.port) });
      while (proxy.passed < 2_000_000) await sleep(5);
      // Held back, the COPY cannot end before its process is found.
      proxy.hold();
      pid = await withClient(server.connection, async (client) => {
        const { rows } = await client.query<{ pid: number }>(
          `SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query ~ 'COPY .*orders' AND pid <> pg_backend_pid()`,
        );
        return rows[0]?.pid;
      });
      process.kill(pid!, 'SIGSTOP');
      proxy.release();
      await expectRecovery(daemon);
    } finally {
      if (pid !== undefined) process.kill(pid, 'SIGCONT');
      await proxy.stop();
    }
  });

  test('is looked at for no longer than asked, also while the server does not answer', async () => {
    await withClient(server.connection, async (client) => {
      // It takes the view alone; LOCK would take what is behind it as well, which a new connection needs.
      await client.query(
        'BEGIN; SET LOCAL allow_system_table_mods = on; ALTER VIEW pg_catalog.pg_stat_activity RESET (security_barrier)',
      );
      await expect(readActivity(server.connection, AbortSignal.timeout(1000))).rejects.toThrow();
    });
  });

  test('is not what a long build of an index is, unlike a COPY that stands still', async () => {
    await withClient(server.connection, async (client) => {
      await client.query(`CREATE FUNCTION slow(id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN PERFORM count(*) FROM generate_series(1, 200000); RETURN id; END'`);
    });
    const session = await connect(server.connection, { applicationName: 'db-backup restore' });
    const { processID } = session as unknown as { processID: number };
    const looks = async (): Promise<boolean[]> => {
      const verdicts: boolean[] = [];
      let before: readonly Backend[] | undefined;
      for (let look = 0; look < 5; look += 1) {
        const now = await readActivity(server.connection, AbortSignal.timeout(10_000));
        verdicts.push(isAtWork(before, now));
        before = now;
        await sleep(100);
      }
      return verdicts.slice(1);
    };
    try {
      expect(await looks()).toEqual([false, false, false, false]);
      const building = session.query('CREATE INDEX ON orders (slow(id))').catch((error: unknown) => String(error));
      while ((await readActivity(server.connection, AbortSignal.timeout(10_000))).every(({ state }) => state !== 'active'));
      expect(await looks()).toEqual([true, true, true, true]);
      await withClient(server.connection, (client) => client.query('SELECT pg_cancel_backend($1)', [processID]));
      expect(await building).toContain('canceling statement');
    } finally {
      await session.end();
      await withClient(server.connection, (client) => client.query('DROP FUNCTION slow'));
    }
  });
});
