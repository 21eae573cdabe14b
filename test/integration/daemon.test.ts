import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connect, withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { startDaemon as startProcess, type Daemon } from '../support/daemon.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { backupManager, sourceSettings } from '../support/command.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith, untilNone } from '../support/processes.ts';

const EVERY_SECOND = '* * * * * *';
const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;

let server: ThrowAwayServer;
let folder: string;
let daemons: Daemon[];

beforeAll(async () => {
  server = await startThrowAwayServer({ binDirectory });
  await withClient(server.connection, async (client) => {
    await client.query('CREATE TABLE orders AS SELECT i, md5(i::text) AS note FROM generate_series(1, 20000) i');
    await client.query(`SELECT lo_from_bytea(0, '\\x00ff')`);
  });
});

afterAll(() => server.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'daemon-test-'));
  daemons = [];
});

afterEach(async () => {
  for (const { process: child, ended } of daemons) {
    child.kill('SIGKILL');
    await ended;
  }
  await rm(folder, { recursive: true });
});

function startDaemon(env: Record<string, string>): Daemon {
  const daemon = startProcess({
    ...{ ...BARE_ENVIRONMENT, BACKUP_DIR: folder, BACKUP_PROGRAM_DIRECTORIES: binDirectory },
    // What is run at the start has tests of its own (scheduler.test.ts).
    BACKUP_CATCH_UP_HOURS: '0',
    ...sourceSettings(server.connection),
    ...env,
  });
  daemons.push(daemon);
  return daemon;
}

async function reports(): Promise<Record<string, unknown>[]> {
  const names = (await readdir(join(folder, 'logs'))).filter((name) => name.startsWith('backup_report_')).sort();
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, 'logs', name), 'utf8'))));
}

/** Holds a lock while `run` goes on: whoever needs what it covers waits. */
async function whileLocked(statement: string, run: () => Promise<void>): Promise<void> {
  const client = await connect(server.connection, { applicationName: 'the test' });
  try {
    await client.query('BEGIN');
    await client.query(statement);
    await run();
  } finally {
    await client.end();
  }
}

async function waitingBackends(): Promise<unknown[]> {
  return withClient(server.connection, async (client) => {
    const { rows } = await client.query(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'`);
    return rows;
  });
}

async function otherBackends(): Promise<unknown[]> {
  return withClient(server.connection, async (client) => {
    const { rows } = await client.query(
      `SELECT application_name, query FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'the test'`,
    );
    return rows;
  });
}

async function untilBlocked(): Promise<void> {
  while ((await waitingBackends()).length === 0) await sleep(20);
}

/** What a clean end leaves: no process, no connection, no file but the report. */
async function expectNothingLeft(): Promise<void> {
  const programs = async () =>
    (await processesWith(server.connection.host)).filter((line) => /pg_dump|^\d+: flock|main\.ts/.test(line));
  expect(await programs()).toEqual([]);
  expect(await untilNone(otherBackends)).toEqual([]);
  const files = await readdir(folder, { recursive: true });
  expect(
    files.filter(
      (name) =>
        !/^(full|logs|ledger)$|^logs\/((backup|health)_report_[^/]*\.json|ledger\.(jsonl|lock)|status\.(json|lock)|daemon\.log|heartbeat)$|^ledger\/\d{10}\.json$/.test(
          name,
        ),
    ),
  ).toEqual([]);
}

describe('The daemon', () => {
  test('says once what is scheduled and when next, backs up on schedule, and ends with 0 when idle', async () => {
    const daemon = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND });
    const scheduled = await daemon.logged('scheduled');
    expect(scheduled).toMatchObject({
      source: 'postgres',
      targets: ['local'],
      jobs: expect.arrayContaining([
        {
          job: 'nightly-backup',
          source: 'postgres',
          schedule: EVERY_SECOND,
          timeZone: 'UTC',
          next: expect.stringMatching(/\.000Z$/),
        },
        expect.objectContaining({ job: 'weekly-cleanup', schedule: '0 3 * * 0' }),
      ]),
    });
    expect(await daemon.logged(/^backup ended/)).toMatchObject({ outcome: 'success', job: 'nightly-backup' });
    // One line for each phase and one for the whole.
    const run = daemon.lines.slice(
      0,
      daemon.lines.findIndex(({ msg }) => String(msg).startsWith('backup ended')),
    );
    const phases = run.filter(({ phase }) => phase !== undefined).map(({ phase }) => phase);
    expect(phases).toEqual(['check targets', 'sweep leftovers', 'inspect source', 'dump', 'store', 'copies']);
    await daemon.logged(/^health check ended/);
    const manager = (...args: string[]) => backupManager(args, { BACKUP_DIR: folder, ...sourceSettings(server.connection) });
    expect(await manager('healthcheck', '--live')).toMatchObject({ status: 0 });
    expect(await manager('healthcheck')).toMatchObject({ status: 0, stdout: 'healthy\n' });
    // The same lines, for the account of the backup only.
    const log = join(folder, 'logs', 'daemon.log');
    expect((await stat(log)).mode & 0o777).toBe(0o600);
    const [first] = (await readFile(log, 'utf8')).split('\n');
    expect(JSON.parse(first!)).toEqual(daemon.lines[0]);
    const shown = await manager('logs', 'backup', '--lines', '500');
    expect(shown).toMatchObject({ status: 0, stdout: expect.stringMatching(/INFO nightly-backup: backup ended: success/) });
    expect(shown.stdout).not.toContain('health-check');
    expect((await reports())[0]).toMatchObject({ outcome: 'success', slot: expect.stringMatching(/\.000Z$/) });
  });

  test('enters every slot in the ledger: what ran, what was passed over, and what was missed while it was down', async () => {
    const keyFile = join(folder, 'evidence.pem');
    const { stdout: publicKey } = await backupManager(['evidence', 'keygen', keyFile], { BACKUP_DIR: folder });
    await writeFile(join(folder, 'evidence.pub'), publicKey);
    const env = { BACKUP_SCHEDULE: '*/2 * * * * *', EVIDENCE_KEY_FILE: keyFile };
    const first = startDaemon(env);
    expect(await first.logged('evidence: entries are signed')).toMatchObject({ ledger: join(folder, 'logs', 'ledger.jsonl') });
    await first.logged(/^backup ended/);
    // It dies: what it was doing, and the slots until it is back, have no entry.
    first.process.kill('SIGKILL');
    await first.ended;
    await sleep(2_500);
    const second = startDaemon(env);
    await second.logged(/^backup ended/);
    second.process.kill('SIGTERM');
    await second.ended;

    const text = await readFile(join(folder, 'logs', 'ledger.jsonl'), 'utf8');
    const entries = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.filter(({ kind }) => kind === 'schedule')).toHaveLength(1);
    expect(entries.filter(({ kind }) => kind === 'daemon started')).toHaveLength(2);
    expect(entries.filter(({ state }) => state === 'missed').length).toBeGreaterThanOrEqual(1);
    const verified = await backupManager(
      ['evidence', 'verify', '--public-key', join(folder, 'evidence.pub'), '--against-targets', '--json'],
      { BACKUP_DIR: folder },
    );
    expect(JSON.parse(verified.stdout)).toMatchObject({ intact: true, breaks: [], signatures: { signed: entries.length } });
    expect(verified.status).toBe(0);
  });

  test('ends with 0 on SIGTERM while nothing runs', async () => {
    const daemon = startDaemon({ BACKUP_SCHEDULE: '0 0 1 1 *' });
    await daemon.logged('scheduled');
    daemon.process.kill('SIGTERM');
    expect(await daemon.ended).toBe(0);
    expect(await daemon.logged('stopped')).toMatchObject({ aborted: false });
  });

  // The lock on the large objects stops pg_dump in the middle of its archive, while workers copy rows.
  test.each([
    ['while pg_dump and the workers are at work', 'LOCK pg_largeobject IN ACCESS EXCLUSIVE MODE'],
    ['while it waits for the lock on a table', 'LOCK orders IN ACCESS EXCLUSIVE MODE'],
  ])('aborts a dump cleanly on SIGTERM %s, and reports it', async (_when, lock) => {
    await whileLocked(lock, async () => {
      const daemon = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND });
      await untilBlocked();
      daemon.process.kill('SIGTERM');
      expect(await daemon.ended).toBe(130);
      expect(await daemon.logged(/^backup ended/)).toMatchObject({ outcome: 'aborted' });
      await expectNothingLeft();
      expect(await reports()).toMatchObject([{ outcome: 'aborted', exitStatus: 130, error: { code: 'ABORTED' } }]);
    });
  });

  test('does not wait for a server that does not answer when it is stopped', async () => {
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = silent.address() as AddressInfo;
      // The health check at the start and the question whether WAL may be streamed, then the backup.
      let connections = 0;
      silent.on('connection', () => (connections += 1));
      const env = { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(port), POSTGRES_CONNECT_TIMEOUT: '600' };
      const daemon = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND, ...env });
      while (connections < 3) await sleep(20);
      daemon.process.kill('SIGTERM');
      expect(await daemon.ended).toBe(130);
      expect(await reports()).toMatchObject([{ outcome: 'aborted' }]);
    } finally {
      silent.close();
    }
  });

  test('is forced to end by a second signal', async () => {
    await whileLocked('LOCK pg_largeobject IN ACCESS EXCLUSIVE MODE', async () => {
      const daemon = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND });
      await untilBlocked();
      // A pg_dump that does not heed SIGTERM holds the clean end up.
      const pids = (await processesWith(server.connection.host))
        .filter((line) => line.includes('pg_dump'))
        .map((line) => parseInt(line, 10));
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      try {
        daemon.process.kill('SIGTERM');
        await daemon.logged('stopping');
        daemon.process.kill('SIGTERM');
        expect(await daemon.ended).toBe(1);
      } finally {
        for (const pid of pids) {
          try {
            process.kill(pid, 'SIGKILL');
          } catch {
            // It ended by itself.
          }
        }
      }
    });
    expect(await untilNone(otherBackends)).toEqual([]);
  });

  test('refuses to start with a wrong configuration, and names every problem', async () => {
    const daemon = startDaemon({ BACKUP_SCHEDULE: 'at night', BACKUP_CODEC: 'zip', TZ: 'Mars/Olympus' });
    expect(await daemon.ended).toBe(2);
    expect(daemon.lines).toEqual([]);
    for (const problem of ['schedule.backup', 'at night', 'dump.codec', 'zip', 'schedule.timeZone', 'Mars/Olympus']) {
      expect(daemon.errors()).toContain(problem);
    }
  });

  test('leaves a run alone that another process has begun', async () => {
    await whileLocked('LOCK pg_largeobject IN ACCESS EXCLUSIVE MODE', async () => {
      const first = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND });
      await untilBlocked();
      await mkdir(folder, { recursive: true });
      const before = (await readdir(join(folder, 'full'))).sort();
      expect(before).toEqual([expect.stringContaining('.partial'), expect.stringContaining('.partial')]);
      const second = startDaemon({ BACKUP_SCHEDULE: EVERY_SECOND });
      expect(await second.logged(/^backup ended/)).toMatchObject({ outcome: 'failure', error: { code: 'LOCKED' } });
      second.process.kill('SIGTERM');
      await second.ended;
      expect((await readdir(join(folder, 'full'))).sort()).toEqual(before);
      first.process.kill('SIGTERM');
      expect(await first.ended).toBe(130);
    });
  });
});
