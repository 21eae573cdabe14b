import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { systemClock } from '../../../src/clock.ts';
import type { JobOutcome } from '../../../src/jobs/job.ts';
import type { SharedCauses } from '../../../src/jobs/shared-cause.ts';
import { withAlerts } from '../../../src/jobs/with-alerts.ts';
import { createLog } from '../../../src/log.ts';
import { createAlertStore } from '../../../src/notify/alert-store.ts';
import { createAlerts } from '../../../src/notify/alerts.ts';
import { createPagerDuty } from '../../../src/notify/pagerduty.ts';
import { createPinger } from '../../../src/notify/ping.ts';
import { createWebhook } from '../../../src/notify/webhook.ts';
import { createDiskStorage } from '../../../src/storage/disk.ts';
import { backupManager } from '../../support/command.ts';
import { startReceiver, type Receiver } from '../../support/receiver.ts';

/** Nothing in common with other sources. */
const OWN: SharedCauses = { target: () => undefined };

let receiver: Receiver;
let folder: string;

beforeEach(async () => {
  receiver = await startReceiver();
  folder = await mkdtemp(join(tmpdir(), 'alerts-test-'));
});
afterEach(async () => {
  await receiver.stop();
  await rm(folder, { recursive: true });
});

/** As after a restart: nothing is remembered but what is on disk. */
async function run(outcome: JobOutcome | Error, source = 'shop', shared: SharedCauses = OWN): Promise<JobOutcome> {
  const storage = createDiskStorage({ name: 'reports', root: folder });
  const alerts = createAlerts({
    notifiers: [
      createWebhook({ url: `${receiver.url}/hook`, secret: 'key', clock: systemClock }),
      ...(shared === OWN ? [] : [createPagerDuty({ url: `${receiver.url}/pagerduty`, routingKey: 'routing' })]),
    ],
    ...{ pings: ['ping'], store: createAlertStore([{ storage, prefix: '' }]), repeatMs: 3_600_000, timeoutMs: 500 },
    redact: (text) => text.replaceAll('hunter2', '***'),
  });
  const job = {
    name: 'nightly-backup',
    run: async ({ log }: { log: ReturnType<typeof createLog> }) => {
      log.child({ phase: 'dump' }).warn('the line of hunter2');
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
  };
  const pinger = createPinger({ name: 'ping', url: `${receiver.url}/ping`, exitStatus: false });
  const redact = (text: string) => text.replaceAll('hunter2', '***');
  const log = createLog('info', { destination: { write: () => undefined } });
  return withAlerts(job, { source, alerts, pinger, shared, redact }).run({
    signal: new AbortController().signal,
    log,
    clock: systemClock,
  });
}

const success: JobOutcome = { outcome: 'success', exitStatus: 0 };
const failure: JobOutcome = { outcome: 'failure', exitStatus: 20, error: { code: 'STORAGE_FULL', message: 'full: hunter2' } };
const heard = () => receiver.requests.map(({ path }) => path.replace(/\?.*/, ''));

test('A failure is told once over restarts, its end once, and the switch hears of every run', async () => {
  expect(await run(failure)).toEqual(failure);
  await run(failure);
  await run(success);
  await run(success);
  expect(heard().filter((path) => path !== '/hook')).toEqual([
    '/ping/start',
    '/ping/fail',
    '/ping/start',
    '/ping/fail',
    '/ping/start',
    '/ping',
    '/ping/start',
    '/ping',
  ]);
  const alerts = receiver.requests.filter(({ path }) => path === '/hook').map(({ body }) => JSON.parse(body));
  expect(alerts.map(({ status, summary, times }) => [status, summary, times])).toEqual([
    ['problem', 'full: ***', 1],
    ['recovery', 'full: ***', 2],
  ]);
  const tail = receiver.requests.find(({ path }) => path.startsWith('/ping/fail'))!.body;
  expect(tail).toContain('the line of ***');
});

test('A drill that proved all but missed an objective is told once, by that objective, until it is kept again', async () => {
  const told = () => receiver.requests.filter(({ path }) => path === '/hook').map(({ body }) => JSON.parse(body));
  const late = { objective: 'rto', message: 'the restore took 40 minutes' } as const;
  await run({ outcome: 'incomplete', exitStatus: 3, violations: [late] });
  expect(told().map(({ kind, status, summary }) => [kind, status, summary])).toEqual([['rto', 'problem', late.message]]);
  // Not measured: what was told still stands.
  await run(success);
  await run({ ...success, violations: [] });
  expect(told().map(({ kind, status }) => [kind, status])).toEqual([
    ['rto', 'problem'],
    ['rto', 'recovery'],
  ]);
});

test('A server that is down is one problem of all its sources, until the last of them is well', async () => {
  const sources = Array.from({ length: 50 }, (_, at) => `db${at}`);
  const server = { name: 'server db.example:5432', sources };
  const shared: SharedCauses = { server, target: () => undefined };
  const down: JobOutcome = { outcome: 'failure', exitStatus: 10, error: { code: 'SOURCE_UNREACHABLE', message: 'refused' } };
  const told = (path: string) => receiver.requests.filter((each) => each.path === path).map(({ body }) => JSON.parse(body));
  for (const source of sources) await run(down, source, shared);
  expect(told('/hook')).toEqual([
    expect.objectContaining({
      ...{ status: 'problem', source: server.name, concerns: sources, seenIn: ['db0'] },
      title: 'nightly-backup of server db.example:5432 (50 sources: db0, db1, db2 and 47 more): refused',
    }),
  ]);
  // What is its own is told for itself, and puts no end to what others have.
  await run({ ...down, error: { code: 'SOURCE_PRIVILEGE', message: 'may not read' } }, 'db7', shared);
  for (const source of sources.filter((name) => name !== 'db7')) await run(success, source, shared);
  await run(success, 'db7', shared);
  const key = 'db-backup/server%20db.example%3A5432/nightly-backup/failure';
  expect(told('/pagerduty').map(({ event_action, dedup_key }) => [event_action, dedup_key])).toEqual([
    ['trigger', key],
    ['trigger', 'db-backup/db7/nightly-backup/failure'],
    ['resolve', key],
    ['resolve', 'db-backup/db7/nightly-backup/failure'],
  ]);
  expect(told('/hook').map(({ status, source }) => [status, source])).toEqual([
    ['problem', server.name],
    ['problem', 'db7'],
    ['recovery', server.name],
    ['recovery', 'db7'],
  ]);
});

test('A look at several sources tells once of a server that does not answer, and of what comes of it', async () => {
  const directory = join(folder, 'config');
  await mkdir(directory);
  const sources = Object.fromEntries(
    ['crm', 'erp', 'shop'].map((name) => [name, { database: name, host: '127.0.0.1', port: 1 }]),
  );
  await writeFile(join(directory, 'default.json'), JSON.stringify({ sources }));
  const env = { BACKUP_CONFIG_DIRECTORY: directory, BACKUP_DIR: folder, BACKUP_WORK_DIR: folder };
  expect(await backupManager(['health'], { ...env, BACKUP_WEBHOOK_URL: `${receiver.url}/hook` })).toMatchObject({ status: 100 });
  const told = receiver.requests.map(({ body }) => JSON.parse(body));
  expect(told.map(({ source, object, concerns }) => [source, object, concerns])).toEqual([
    ['server 127.0.0.1:1', 'database', ['crm', 'erp', 'shop']],
    ['server 127.0.0.1:1', 'freshness', ['crm', 'erp', 'shop']],
    ['server 127.0.0.1:1', 'copies local', ['crm', 'erp', 'shop']],
  ]);
});

test('A job that breaks is told, and still breaks', async () => {
  await expect(run(new Error('a defect'))).rejects.toThrow('a defect');
  expect(heard().sort()).toEqual(['/hook', '/ping/fail', '/ping/start']);
});

test('A run is what it was when nobody takes anything, and what was not taken is kept and comes later', async () => {
  receiver.answer = () => 'hang';
  expect(await run(failure)).toEqual(failure);
  const kept = JSON.parse(await readFile(join(folder, 'alert_state.json'), 'utf8'));
  expect(kept.undelivered.map(({ channel }: { channel: string }) => channel).sort()).toEqual(['ping', 'webhook']);
  receiver.requests.length = 0;
  receiver.answer = () => ({ status: 200 });
  await run(success);
  expect(JSON.parse(receiver.requests.find(({ path }) => path === '/hook')!.body)).toMatchObject({ status: 'recovery' });
  expect(JSON.parse(await readFile(join(folder, 'alert_state.json'), 'utf8'))).toMatchObject({ problems: [], undelivered: [] });
});

test('The signature can be checked as docs/alerts.md says', async () => {
  await run(failure);
  const { headers, body } = receiver.requests.find(({ path }) => path === '/hook')!;
  await writeFile(join(folder, 'body.json'), body);
  const text = await readFile(new URL('../../../docs/alerts.md', import.meta.url), 'utf8');
  const script = /```sh\n(.*?)```/s.exec(text)![1]!;
  const env = { PATH: '/usr/bin:/bin', TIMESTAMP: String(headers['x-backup-timestamp']), SECRET: 'key' };
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { cwd: folder, env });
  expect(headers['x-backup-signature']).toBe(`sha256=${stdout.trim()}`);
});

test('A daemon that cannot start tells it once, however often it is started', async () => {
  const main = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
  const env = {
    PATH: '/usr/bin:/bin',
    BACKUP_DIR: folder,
    BACKUP_WEBHOOK_URL: `${receiver.url}/hook`,
    POSTGRES_DB: 'shop',
    BACKUP_WORKERS: 'many',
  };
  for (let time = 0; time < 2; time += 1) {
    await expect(promisify(execFile)(process.execPath, [main], { env })).rejects.toMatchObject({ code: 2 });
  }
  expect(receiver.requests.map(({ body }) => JSON.parse(body))).toEqual([
    expect.objectContaining({ source: 'shop', kind: 'configuration', summary: expect.stringContaining('BACKUP_WORKERS') }),
  ]);
});
