import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Alert } from '../../src/notify/alert.ts';
import { PitrGround } from '../support/pitr-ground.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startReceiver } from '../support/receiver.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** The other version by hand and where it is asked for. */
const WANTED = process.env['PITR_FAULTS'] === 'all' ? [15, 17] : [17];
const MAJORS = WANTED.filter((major) => installedVersions().some((version) => version.major === major));
const UNLIMITED = 'point-in-time recovery is off: nothing limits what the server would keep for it';

describe.each(MAJORS)('Point-in-time recovery that nobody asked for, on PostgreSQL %i', (major) => {
  let ground: PitrGround;
  /** What is scheduled, as the daemon said it last. */
  const jobs = () =>
    ((ground.lines.findLast((line) => line['jobs'] !== undefined)?.['jobs'] ?? []) as { job: string }[]).map(({ job }) => job);
  const slots = async () => (await ground.sql('SELECT slot_name FROM pg_replication_slots')).map((row) => row['slot_name']);

  /** What the server may keep for a slot, as all its processes know it. */
  async function limit(size: string): Promise<void> {
    await ground.sql(`ALTER SYSTEM SET max_slot_wal_keep_size = '${size}'`);
    await ground.sql('SELECT pg_reload_conf()');
    while ((await ground.sql('SHOW max_slot_wal_keep_size'))[0]!['max_slot_wal_keep_size'] !== size) await sleep(20);
  }

  /** The daemon has said so, and made its schedule fit. */
  async function turnsOff(says: string): Promise<void> {
    await ground.logged(says);
    while (jobs().includes('base-backup')) await sleep(20);
  }

  async function turnsOn(): Promise<void> {
    await ground.logged('WAL is streamed');
    while (!jobs().includes('base-backup')) await sleep(20);
  }

  /** Its label: the daemon makes one where nothing of what comes could be recovered. */
  async function makesBase(): Promise<string> {
    await ground.logged('physical backup ended: success');
    return String(ground.lines.find(({ msg }) => msg === 'physical backup ended: success')!['label']);
  }

  /** The server keeps nothing of what no slot holds. */
  async function forgetWal(): Promise<void> {
    for (let i = 0; i < 3; i += 1) {
      await ground.mark();
      await ground.sql('SELECT pg_switch_wal()');
    }
    await ground.sql('CHECKPOINT');
  }

  /** Also those that are in use. */
  async function dropSlots(): Promise<void> {
    for (let gone = false; !gone;) {
      gone = await ground
        .sql(
          `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active;
           SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots`,
        )
        .then(
          () => true,
          () => false,
        );
    }
  }

  /** Of another daemon. */
  async function folder(name: string): Promise<string> {
    const path = join(ground.folder, name);
    await mkdir(path);
    return path;
  }

  beforeAll(async () => {
    ground = await PitrGround.open(major);
    delete ground.env['PITR_ENABLED'];
    delete ground.env['BACKUP_CATCH_UP_HOURS'];
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY)');
    await ground.sql('CREATE ROLE poor LOGIN');
  });

  afterAll(async () => {
    await ground.close();
  });

  test('is off where nothing limits what a slot may keep, and log, health and status say so', async () => {
    await ground.startDaemon(UNLIMITED);
    expect(jobs()).not.toContain('base-backup');
    expect(await slots()).toEqual([]);
    expect(existsSync(join(ground.folder, 'backups/wal'))).toBe(false);
    const says = expect.stringMatching(new RegExp(`^${UNLIMITED} \\(set max_slot_wal_keep_size there .*\\)$`));
    const health = await ground.health();
    expect(health['replication']).toMatchObject({ verdict: 'ok', says });
    expect(Object.keys(health).filter((name) => /^(wal|base backup|commits|recovery proof)/.test(name))).toEqual([]);
    expect(await ground.json('status')).toMatchObject({ wal: { off: says } });
    const status = await ground.run('status');
    expect(status.stdout).toContain(UNLIMITED);
    expect(status.stdout).not.toContain('base-backup');
    // One by hand has its WAL inside.
    expect(await ground.json('create-backup', '--physical')).toMatchObject({ outcome: 'success' });
    expect(await ground.base()).toMatchObject({ includesWal: true });
  });

  test('begins when the server limits it, with a physical backup and their schedule, and every slot is accounted for', async () => {
    // The WAL that follows the backup by hand is not what comes.
    await forgetWal();
    await limit('1GB');
    await turnsOn();
    const label = await makesBase();
    expect(await ground.base()).toMatchObject({ label, includesWal: false });
    await ground.recoverableTo(await ground.mark());
    const health = await ground.health();
    expect(health['replication']).toMatchObject({ verdict: 'ok' });
    expect(health['wal stream']).toMatchObject({ verdict: 'ok' });
    expect((await ground.run('status')).stdout).toMatch(/newest instant[\s\S]*base-backup/);
    const entries = async (holds: string) =>
      (await readFile(join(ground.folder, 'backups/logs/ledger.jsonl'), 'utf8'))
        .split('\n')
        .filter((line) => line.includes(holds));
    expect(await entries('"kind":"schedule"')).toEqual([
      expect.not.stringContaining('base-backup'),
      expect.stringContaining('base-backup'),
    ]);
    // The one by hand, and the one that was due.
    const made = async () => (await entries('"job":"base-backup"')).filter((line) => line.includes('"state":"done"'));
    while ((await made()).length < 2) await sleep(50);
    expect(await made()).toEqual([expect.not.stringContaining('"slot"'), expect.not.stringContaining('"slot"')]);
    expect(await ground.json('evidence', 'verify')).toMatchObject({ intact: true, breaks: [] });
  });

  test('goes on while its slot is there, over a restart as well, and health warns', async () => {
    await limit('-1');
    expect((await ground.health())['replication']).toMatchObject({
      verdict: 'warn',
      hint: expect.stringContaining('max_slot_wal_keep_size'),
    });
    await ground.endDaemon('SIGTERM');
    await ground.startDaemon();
    expect(jobs()).toContain('base-backup');
    await ground.recoverableTo(await ground.mark());
  });

  test('makes no slot anew where nothing limits it any more, and that is not passed over', async () => {
    await dropSlots();
    await turnsOff('point-in-time recovery is off: the replication slot db_backup is gone, and nothing limits');
    expect(await slots()).toEqual([]);
    const health = await ground.health();
    expect(health['replication']).toMatchObject({ verdict: 'warn', says: expect.stringContaining('db_backup is gone') });
    expect(health).not.toHaveProperty('wal stream');
    expect(await ground.json('status')).toMatchObject({ wal: { off: expect.stringContaining('db_backup is gone') } });
    ground.lines.length = 0;
    await forgetWal();
    await limit('1GB');
    await turnsOn();
    await ground.logged('the replication slot was made');
    expect(await slots()).toEqual(['db_backup']);
    // The others are that by hand and that of the beginning: what follows them is not what comes, and at the restart it was.
    const label = await makesBase();
    const bases = (await readdir(join(ground.folder, 'backups/base'))).filter((name) => name.endsWith('.meta'));
    expect(bases).toHaveLength(3);
    await ground.recoverableTo(await ground.mark());
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows![0]).toMatchObject({ base: label });
    expect(await ground.json('evidence', 'verify')).toMatchObject({ intact: true, breaks: [] });
  });

  test('leaves a slot alone that another daemon has', async () => {
    const { BACKUP_DIR } = ground.env;
    const says = { verdict: 'ok', says: expect.stringContaining('the replication slot db_backup is there') };
    try {
      ground.env['BACKUP_DIR'] = await folder('elsewhere');
      expect((await ground.health())['replication']).toMatchObject(says);
    } finally {
      ground.env['BACKUP_DIR'] = BACKUP_DIR!;
    }
  });

  test('is off for a role that may not replicate, and says what gives it the right', async () => {
    await ground.endDaemon('SIGTERM');
    await ground.sql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
    const env = { ...ground.env };
    Object.assign(ground.env, { POSTGRES_USER: 'poor', BACKUP_DIR: await folder('poor') });
    try {
      await ground.startDaemon('the role "poor" may not replicate (a superuser gives it the right: ALTER ROLE poor REPLICATION)');
      expect((await ground.health())['replication']).toMatchObject({
        verdict: 'ok',
        says: expect.stringContaining('ALTER ROLE poor REPLICATION'),
      });
      expect(await slots()).toEqual([]);
    } finally {
      await ground.endDaemon('SIGTERM');
      Object.assign(ground.env, env);
    }
  });

  test('streams once for each server: of all its databases, and not for another source on it', async () => {
    const env = { ...ground.env };
    const configs = await folder('configs');
    const sources = { all: { database: '*' }, again: { database: 'postgres' } };
    await writeFile(join(configs, 'production.json'), JSON.stringify({ sources }));
    Object.assign(ground.env, { BACKUP_CONFIG_DIRECTORY: configs, BACKUP_DIR: await folder('several') });
    delete ground.env['POSTGRES_DB'];
    try {
      await ground.startDaemon('point-in-time recovery is off: the WAL of this server comes with the source all');
      await turnsOn();
      expect(ground.lines.filter(({ msg }) => msg === 'WAL is streamed')).toEqual([expect.objectContaining({ source: 'all' })]);
      expect(jobs().filter((job) => job === 'base-backup')).toHaveLength(1);
      expect(await makesBase()).toMatch(/^base_all_/);
      const one = ['--source', 'all.postgres'];
      const made = await ground.json('create-backup', '--physical', ...one);
      expect(made).toMatchObject({ outcome: 'success', label: expect.stringMatching(/^base_all_/) });
      await ground.recoverableTo(await ground.mark(), ...one);
      const checks = await ground.health(...one);
      expect(checks['replication']).toMatchObject({ verdict: 'ok', says: 'the server lets its WAL be streamed' });
      expect(checks['wal stream']).toMatchObject({ verdict: 'ok' });
      expect(checks['base backup']).toMatchObject({ verdict: 'ok', says: expect.stringContaining(made.label!) });
      const status = await ground.run('status', ...one);
      expect(status.stdout).toContain('newest instant');
      expect(status.stdout).not.toContain('base-backup');
      const other = await ground.health('--source', 'again');
      expect(other['replication']).toMatchObject({ verdict: 'ok', says: expect.stringMatching(/comes with the source all$/) });
      expect(other).not.toHaveProperty('wal stream');
      expect(await ground.json('evidence', 'verify')).toMatchObject({ intact: true, breaks: [] });
    } finally {
      await ground.endDaemon('SIGTERM');
      ground.env['POSTGRES_DB'] = env['POSTGRES_DB']!;
      Object.assign(ground.env, { BACKUP_DIR: env['BACKUP_DIR'] });
      delete ground.env['BACKUP_CONFIG_DIRECTORY'];
      await ground.sql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
    }
  });

  test('begins with a server that comes up after the daemon; once it is off again, alerts of it are over, and say why', async () => {
    const { host, port } = ground.server.connection;
    const socket = join(host, `.s.PGSQL.${port}`);
    const proxy = await startTcpProxy(socket);
    await proxy.stop();
    const receiver = await startReceiver();
    const env = { ...ground.env };
    const late = { POSTGRES_HOST: '127.0.0.1', POSTGRES_PORT: String(proxy.port), BACKUP_DIR: await folder('late') };
    Object.assign(ground.env, late, {
      BACKUP_WEBHOOK_URL: receiver.url,
      BACKUP_HEALTH_SCHEDULE: '*/2 * * * * *',
      BACKUP_CATCH_UP_HOURS: '0',
    });
    const told = async (status: string) => {
      for (;;) {
        const alerts = receiver.requests.map(({ body }) => JSON.parse(body) as Alert);
        const found = alerts.findLast(({ object }) => object === 'wal stream');
        if (found?.status === status) return found;
        await sleep(20);
      }
    };
    let way: TcpProxy | undefined;
    const comesUp = async () => void (way = await startTcpProxy(socket, proxy.port));
    const goesDown = async () => {
      await way?.stop();
      way = undefined;
    };
    try {
      await ground.startDaemon('point-in-time recovery is off: the server does not say');
      expect(jobs()).not.toContain('base-backup');
      await comesUp();
      await turnsOn();
      await goesDown();
      expect(await told('problem')).toMatchObject({ job: 'health-check', summary: expect.stringContaining('no WAL arrives') });
      await limit('-1');
      await dropSlots();
      await comesUp();
      const why = 'point-in-time recovery is off: the replication slot db_backup is gone, and nothing limits';
      expect(await told('recovery')).toMatchObject({ endedBy: expect.stringContaining(why) });

      ground.lines.length = 0;
      await limit('1GB');
      await turnsOn();
      await goesDown();
      await told('problem');
      await ground.endDaemon('SIGTERM');
      ground.env['PITR_ENABLED'] = 'false';
      await ground.startDaemon('scheduled');
      expect(await told('recovery')).toMatchObject({ endedBy: 'point-in-time recovery is off (PITR_ENABLED=false)' });
    } finally {
      await ground.endDaemon('SIGTERM');
      Object.assign(ground.env, env);
      delete ground.env['BACKUP_WEBHOOK_URL'];
      delete ground.env['BACKUP_HEALTH_SCHEDULE'];
      delete ground.env['PITR_ENABLED'];
      delete ground.env['BACKUP_CATCH_UP_HOURS'];
      await goesDown();
      await receiver.stop();
    }
  });
});
