import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connect, quoteIdentifier, withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { backupManager } from '../support/command.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startReceiver } from '../support/receiver.ts';

/** As the daemon is started: see its first line. */
const YOUNG = '--max-semi-space-size=4';
const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;
const NEVER = '0 0 1 1 *';
/** How many databases one server has. With more than five the daemon's memory is held against that of its first five. */
const MANY = Number(process.env['MANY_DATABASES'] ?? 5);

let server: ThrowAwayServer;
let folder: string;
let children: (() => Promise<void>)[];

beforeAll(async () => {
  server = await startThrowAwayServer({ binDirectory, listenOnLoopback: true });
  for (const name of ['shop', 'crm', 'erp']) await makeDatabase(name);
});

afterAll(() => server.stop());

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-test-'));
  children = [];
});

afterEach(async () => {
  for (const end of children) await end();
  await rm(folder, { recursive: true });
});

async function query(sql: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
  const { rows } = await withClient({ ...server.connection, database }, (client) => client.query<Record<string, unknown>>(sql));
  return rows;
}

async function makeDatabase(name: string): Promise<void> {
  await query(`CREATE DATABASE ${quoteIdentifier(name)}`);
  await query('CREATE TABLE orders AS SELECT i, md5(i::text) AS note FROM generate_series(1, 500) i', name);
}

/** The environment of a daemon or a command whose configuration has these sources. */
async function environment(config: object): Promise<Record<string, string>> {
  const { host, port, user, password } = server.loopback!;
  const source = { host, port, user, password };
  await writeFile(join(folder, 'production.json'), JSON.stringify({ source, dump: { workers: 1 }, ...config }));
  return {
    ...{ PATH: '/usr/local/bin:/usr/bin:/bin', BACKUP_DIR: folder, BACKUP_CONFIG_DIRECTORY: folder },
    BACKUP_PROGRAM_DIRECTORIES: binDirectory,
  };
}

interface Daemon {
  readonly process: ChildProcess;
  readonly lines: Record<string, unknown>[];
  stop(): Promise<number | null>;
}

function startDaemon(env: Record<string, string>): Daemon {
  const child = spawn(process.execPath, [YOUNG, MAIN], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const lines: Record<string, unknown>[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts.map((line) => JSON.parse(line)));
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  children.push(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  return {
    process: child,
    lines,
    stop: async () => {
      child.kill('SIGTERM');
      return (await closed)[0];
    },
  };
}

/** The first line of the log that fits. */
async function logged({ lines, process: child }: Daemon, fits: (line: Record<string, unknown>) => boolean) {
  for (;;) {
    const found = lines.find(fits);
    if (found) return found;
    if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}`);
    await sleep(20);
  }
}

async function residentBytes({ process: { pid } }: Daemon): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

async function reports(kind = 'backup'): Promise<Record<string, unknown>[]> {
  const names = (await readdir(join(folder, 'logs'))).filter((name) => name.startsWith(`${kind}_report_`)).sort();
  return Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, 'logs', name), 'utf8'))));
}

async function entries(): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(folder, 'logs', 'ledger.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const isBackup = (job: unknown) => job === 'nightly-backup';

async function expectIntactLedger(env: Record<string, string>): Promise<void> {
  const { stdout } = await backupManager(['evidence', 'verify', '--json'], env);
  expect(JSON.parse(stdout)).toMatchObject({ breaks: [] });
}

const stored = async () =>
  (await readdir(join(folder, 'full')))
    .filter((name) => name.endsWith('.meta'))
    .map((name) => name.split('_')[1]!)
    .sort();

describe('Several sources', () => {
  test('are backed up each for itself: one that fails stops no other', async () => {
    const env = await environment({
      schedule: { backup: '*/2 * * * * *', cleanup: NEVER, drill: NEVER },
      sources: { shop: { database: 'shop' }, crm: { database: 'crm', password: 'wrong' }, erp: { database: 'erp' } },
    });
    const daemon = startDaemon(env);
    const ended = (source: string) =>
      logged(daemon, (line) => line['source'] === source && String(line['msg']).startsWith('backup ended'));
    const [shop, crm, erp] = [await ended('shop'), await ended('crm'), await ended('erp')];
    expect([shop, erp]).toMatchObject([{ outcome: 'success' }, { outcome: 'success' }]);
    expect(crm).toMatchObject({ outcome: 'failure', error: { code: 'SOURCE_AUTHENTICATION' } });
    // Each had its turn.
    expect(daemon.lines.some(({ msg }) => msg === 'waiting for its turn')).toBe(true);
    await daemon.stop();
    expect(new Set(await stored())).toEqual(new Set(['shop', 'erp']));
    const told = await entries();
    const [schedule] = told.filter(({ kind }) => kind === 'schedule');
    expect(schedule).toMatchObject({
      schedules: expect.arrayContaining([expect.objectContaining({ job: 'nightly-backup', source: 'crm' })]),
    });
    // What was stopped at the end, or skipped while it waited, says nothing of how they fare.
    const ran = told.filter(({ job, state }) => isBackup(job) && (state === 'done' || state === 'failed'));
    expect([...new Set(ran.map(({ source, state }) => `${String(source)} ${String(state)}`))].sort()).toEqual([
      'crm failed',
      'erp done',
      'shop done',
    ]);
    expect((await reports()).find(({ source }) => source === 'crm')).toMatchObject({ error: { code: 'SOURCE_AUTHENTICATION' } });
    await expectIntactLedger(env);
  });

  test('are commanded together, or one by its name or by the label of a backup', async () => {
    const env = await environment({ sources: { shop: { database: 'shop' }, crm: { database: 'crm', password: 'wrong' } } });
    const made = await backupManager(['create-backup', '--json'], env);
    expect(made.status).toBe(10);
    const { backups } = JSON.parse(made.stdout) as { backups: Record<string, unknown>[] };
    expect(backups.map(({ source, outcome }) => [source, outcome])).toEqual([
      ['shop', 'success'],
      ['crm', 'failure'],
    ]);
    const label = String(backups[0]!['label']);

    const unclear = await backupManager(['verify'], env);
    expect(unclear.status).toBe(2);
    expect(unclear.stderr).toContain('Name one with --source: shop, crm.');
    const unknown = await backupManager(['status', '--source', 'cmr'], env);
    expect(unknown.status).toBe(2);
    for (const args of [
      ['verify', label],
      ['verify', '--source', 'shop'],
      ['pin', label],
    ]) {
      expect(await backupManager(args, env)).toMatchObject({ status: 0, stdout: expect.stringContaining(label) });
    }

    const status = await backupManager(['status'], env);
    expect(status.status).toBeGreaterThan(0);
    expect(status.stdout).toMatch(/Attention: 1 of 2 sources are well/);
    expect(status.stdout).toMatch(/\nshop +well .* success\n/);
    expect(status.stdout).toMatch(/\ncrm +LOOK +none .* failure\n/);
    expect(status.stdout.indexOf('\ncrm')).toBeLessThan(status.stdout.indexOf('\nshop'));

    // A source that is not configured any more: reported, and kept.
    const later = await environment({
      retention: { minimum: 1 },
      sources: { crm: { database: 'crm' }, erp: { database: 'erp' } },
    });
    expect((await backupManager(['create-backup'], later)).status).toBe(0);
    const cleaned = await backupManager(['cleanup', '--json'], later);
    const { cleanups } = JSON.parse(cleaned.stdout) as { cleanups: Record<string, unknown>[] };
    expect(cleanups.map(({ unconfigured, removed }) => [unconfigured, removed])).toEqual([
      [['shop'], { copies: 0, bytes: 0 }],
      [['shop'], { copies: 0, bytes: 0 }],
    ]);
    expect(await stored()).toEqual(['crm', 'erp', 'shop']);
    const listed = JSON.parse((await backupManager(['list-backups', '--json'], later)).stdout);
    expect(listed.backups.map(({ source }: { source: string }) => source).sort()).toEqual(['crm', 'erp', 'shop']);
    const one = JSON.parse((await backupManager(['list-backups', '--json', '--source', 'erp'], later)).stdout);
    expect(one.backups.map(({ source }: { source: string }) => source)).toEqual(['erp']);
    expect(await reports('cleanup')).toHaveLength(2);
    await expectIntactLedger(later);
  });

  test('may be every database of a server, as they are at each run', async () => {
    const ofAll = ({ job, source, slot, state }: Record<string, unknown>) =>
      isBackup(job) && source === 'all' && slot !== undefined && state !== 'skipped';
    await makeDatabase('old news');
    const env = await environment({ sources: { all: { database: '*', exclude: ['post*', 'e?p'] } } });
    expect((await backupManager(['create-backup'], env)).status).toBe(0);
    expect(await stored()).toEqual(['all.crm', 'all.old%20news', 'all.shop']);
    await query('DROP DATABASE "old news"');
    await makeDatabase('new');
    const daemon = startDaemon({ ...env, BACKUP_SCHEDULE: '*/2 * * * * *', CLEANUP_SCHEDULE: NEVER, DRILL_SCHEDULE: NEVER });
    const gone = await logged(daemon, ({ msg }) => String(msg).startsWith('databases that are no longer there'));
    expect(gone).toMatchObject({ source: 'all', gone: ['all.old news'] });
    await logged(daemon, ({ msg, database }) => database === 'new' && String(msg).startsWith('backup ended'));
    // The slot is over when all of them are.
    while (!(await entries()).some(ofAll)) await sleep(50);
    await daemon.stop();
    const told = await entries();
    const slot = told.find(ofAll)!;
    expect(slot).toMatchObject({ state: 'done', result: 'success', why: expect.stringContaining('all.old news') });
    const parts = told.filter(({ job, due }) => isBackup(job) && due === slot['slot']);
    expect(parts.map(({ source, state }) => `${String(source)} ${String(state)}`).sort()).toEqual([
      'all.crm done',
      'all.new done',
      'all.shop done',
    ]);
    expect(await stored()).toContain('all.old%20news');
    const cleaned = await backupManager(['cleanup', '--json'], env);
    expect(JSON.parse(cleaned.stdout)).toMatchObject({ gone: ['all.old news'] });
    expect(await stored()).toContain('all.old%20news');
    const one = await backupManager(['create-backup', '--source', 'all.shop', '--json'], env);
    expect(JSON.parse(one.stdout)).toMatchObject({ source: 'all.shop', outcome: 'success' });
    const vague = await backupManager(['restore', 'latest', 'x'], env);
    expect(vague).toMatchObject({ status: 2, stderr: expect.stringContaining('--source all.<database>') });
    await expectIntactLedger(env);
    await query('DROP DATABASE new');
  });

  test('as many databases of a server are backed up in one night, watched, pinged for and shown on one screen', async () => {
    const names = Array.from({ length: MANY }, (_, at) => `many${String(at).padStart(2, '0')}`);
    const last = names.at(-1)!;
    await query('CREATE DATABASE many00');
    await query('CREATE TABLE orders AS SELECT i FROM generate_series(1, 500) i', 'many00');
    for (const name of names.slice(1)) await query(`CREATE DATABASE ${name} TEMPLATE many00`);
    const receiver = await startReceiver();
    const locked = await connect({ ...server.connection, database: last });
    await locked.query('BEGIN; LOCK orders IN ACCESS EXCLUSIVE MODE');
    try {
      const env = {
        ...(await environment({ sources: { all: { database: '*', exclude: ['post*', 'shop', 'crm', 'erp'] } } })),
        ...{ BACKUP_LOCK_TIMEOUT: '1', BACKUP_PING_URL: `${receiver.url}/ping`, BACKUP_WEBHOOK_URL: `${receiver.url}/alert` },
        ...{ CLEANUP_SCHEDULE: NEVER, DRILL_SCHEDULE: NEVER, BACKUP_STAGGER_SECONDS: '0' },
      };
      const pings = () =>
        receiver.requests.filter(({ path }) => path.startsWith('/ping')).map(({ path }) => path.replace(/\?.*/, ''));
      const alerts = () =>
        receiver.requests
          .filter(({ path }) => path === '/alert')
          .map(({ body }) => JSON.parse(body) as Record<string, string>)
          // The schedule leaves some slots of the whole out.
          .filter(({ job, source }) => isBackup(job) && source !== 'all')
          .map(({ source, status, kind }) => `${source} ${kind} ${status}`);
      const whole = async () => (await entries()).filter(({ job, source }) => isBackup(job) && source === 'all');

      // Without a good backup they are due as soon as the daemon starts.
      const daemon = startDaemon({ ...env, BACKUP_SCHEDULE: NEVER });
      expect(await logged(daemon, ({ msg }) => msg === 'due although it is no slot')).toMatchObject({ source: 'all' });
      const memory = { ofFew: 0, ofAll: 0 };
      while ((await whole()).length === 0) {
        const now = await residentBytes(daemon);
        memory.ofAll = Math.max(memory.ofAll, now);
        if (daemon.lines.filter(({ msg }) => /^backup ended/.test(String(msg))).length <= 5) memory.ofFew = memory.ofAll;
        await sleep(50);
      }
      await daemon.stop();
      console.info(`${MANY} databases: ${memory.ofAll >> 20} MiB, of the first five ${memory.ofFew >> 20} MiB`);
      if (MANY > 5) expect(memory.ofAll).toBeLessThan(1.35 * memory.ofFew);
      expect(await whole()).toMatchObject([{ state: 'failed', why: expect.stringContaining(`1 of ${MANY} databases`) }]);
      expect(await stored()).toEqual(names.slice(0, -1).map((name) => `all.${name}`));
      expect(pings()).toEqual(['/ping/start', '/ping/fail']);
      expect(alerts()).toEqual([`all.${last} failure problem`]);

      // Who is gone needs no backup, and nobody is told of it any more.
      await locked.end();
      await query(`DROP DATABASE ${last}`);
      const again = startDaemon({ ...env, BACKUP_SCHEDULE: '* * * * * *' });
      while ((await whole()).every(({ result }) => result !== 'success')) await sleep(50);
      expect(await backupManager(['healthcheck'], env)).toMatchObject({ status: 0 });
      await again.stop();
      expect(alerts()).toEqual([`all.${last} failure problem`, `all.${last} failure recovery`]);
      expect(pings()).toEqual(expect.arrayContaining(['/ping']));
      // A line for each, though the last runs were stopped.
      const { stdout } = await backupManager(['status', '--all'], env);
      expect(stdout.split('\n').filter((line) => line.startsWith('all.many'))).toHaveLength(MANY - 1);
      const screen = await backupManager(['status'], env);
      expect(screen.stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(24);
      await expectIntactLedger(env);
    } finally {
      await locked.end().catch(() => undefined);
      await receiver.stop();
      for (const name of names) await query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    }
  });

  test('that are every database of a server are drilled one after the other, and all of them proven', async () => {
    const env = {
      ...(await environment({ sources: { all: { database: '*', exclude: ['post*', 'erp'] } } })),
      ...{ BACKUP_SCHEDULE: NEVER, CLEANUP_SCHEDULE: NEVER, BACKUP_HEALTH_SCHEDULE: NEVER, DRILL_SCHEDULE: '* * * * * *' },
    };
    expect((await backupManager(['create-backup'], env)).status).toBe(0);
    const daemon = startDaemon(env);
    const drills = async () => (await entries()).filter(({ job, state }) => job === 'restore-drill' && state !== 'skipped');
    const wholeOf = async () => (await drills()).find(({ source }) => source === 'all');
    while (!(await wholeOf())) await sleep(50);
    await daemon.stop();
    const slot = (await wholeOf())!['slot'];
    expect((await drills()).filter(({ due }) => due === slot).map(({ source }) => source)).toEqual(['all.crm', 'all.shop']);
    const status = JSON.parse((await backupManager(['status', '--json'], env)).stdout);
    for (const source of status.sources) expect(source).toMatchObject({ newestProven: { label: expect.any(String) } });
  });

  test('of one name are backed up by one run at a time, also from two directories; the holder is named', async () => {
    const env = await environment({ sources: { shop: { database: 'shop' }, crm: { database: 'crm' } } });
    const client = await connect({ ...server.connection, database: 'shop' });
    await client.query('BEGIN; LOCK orders IN ACCESS EXCLUSIVE MODE');
    const first = backupManager(['create-backup', '--source', 'shop', '--json'], env);
    while ((await query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length === 0) await sleep(20);
    const second = JSON.parse((await backupManager(['create-backup', '--source', 'shop', '--json'], env)).stdout);
    expect(second.error).toMatchObject({ code: 'LOCKED', message: expect.stringMatching(/run of shop .*process \d+ on /) });
    // In the same directory, another source does not wait.
    const other = JSON.parse((await backupManager(['create-backup', '--source', 'crm', '--json'], env)).stdout);
    expect(other).toMatchObject({ outcome: 'success' });
    const elsewhere = await mkdtemp(join(tmpdir(), 'sources-test-'));
    const third = JSON.parse(
      (await backupManager(['create-backup', '--source', 'shop', '--json'], { ...env, BACKUP_DIR: elsewhere })).stdout,
    );
    expect(third.error).toMatchObject({
      code: 'LOCKED',
      message: expect.stringMatching(/"shop" \(shop\) is being backed up by another run \(process \d+ on .*, server process \d+/),
    });
    await rm(elsewhere, { recursive: true });
    await client.end();
    expect(JSON.parse((await first).stdout)).toMatchObject({ outcome: 'success' });
  });
});
