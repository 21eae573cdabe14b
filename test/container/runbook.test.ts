import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openApp, type App } from '../support/app-beside.ts';
import { commandBlocks, missingLine, type CommandBlock } from '../support/command-blocks.ts';
import { describeWithEngine, REPOSITORY, until } from '../support/compose.ts';
import { startFaultyProxy, type FaultyProxy } from '../support/faulty-proxy.ts';
import { reachableByContainers, type Reachable } from '../support/reach-machine.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

const ORDERS = 'SELECT count(*), sum(total) FROM application.orders';

describeWithEngine('The commands of docs/BACKUP_RUNBOOK.md', () => {
  let blocks: CommandBlock[];
  let app: App;
  let s3: S3Server;
  let proxy: FaultyProxy;
  let reached: Reachable;
  let sample: string;
  let orders: string;
  let settings: Record<string, string>;
  const ran = new Set<string>();

  beforeAll(async () => {
    blocks = await commandBlocks(join(REPOSITORY, 'docs/BACKUP_RUNBOOK.md'));
    sample = await readFile(join(REPOSITORY, 'config/demo/sample.sql'), 'utf8');
    s3 = (await startS3Server())!;
    await s3.createBucket('backups');
    proxy = await startFaultyProxy(s3.endpoint);
    reached = await reachableByContainers(proxy.endpoint);
    settings = {
      BACKUP_S3_BUCKET: 'backups',
      BACKUP_S3_ENDPOINT: reached.endpoint,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY_FILE: './secret-key',
    };
    app = await prepared(await openApp(settings));
    await app.compose('up', '--detach', '--wait', 'db');
    await app.query(sample);
    orders = await app.query(ORDERS);
    await app.compose('up', '--detach', 'db-backup');
    await app.shell('scripts/backup-manager.sh create-backup');
  });
  afterAll(async () => {
    await app.close();
    await reached.stop();
    await proxy.stop();
    await s3.stop();
  });

  async function prepared(made: App): Promise<App> {
    await writeFile(join(made.folder, 'secret-key'), s3.credentials.secretAccessKey);
    return made;
  }

  /** Labels of what is there, the newest first. */
  async function labels(): Promise<string[]> {
    const { stdout } = await app.shell('scripts/backup-manager.sh list-backups --json');
    return (JSON.parse(stdout) as { backups: { label: string }[] }).backups.map(({ label }) => label);
  }

  const inBackups = (command: string) => app.compose('exec', '-T', 'db-backup', 'sh', '-ec', command);

  /** Runs a block as somebody would who pasted the first one before. */
  async function follow(name: string, { on = app, label = '', instant = '', status = 0 } = {}): Promise<string> {
    const block = blocks.find((each) => each.name === name)!;
    const given = Object.entries({ LABEL: label, INSTANT: instant }).filter(([, value]) => value !== '');
    const code = given.reduce(
      (text, [key, value]) => text.replaceAll(new RegExp(`^${key}=.*$`, 'gm'), `${key}=${value}`),
      block.code,
    );
    const first = blocks[0]!.code;
    const ended = await on.shell(block === blocks[0] ? code : `${first}\n${code}`);
    const output = `${ended.stdout}\n${ended.stderr}`;
    expect({ name, status: ended.status, missing: missingLine(block, ended.stdout), output }).toEqual({
      name,
      status,
      missing: undefined,
      output,
    });
    ran.add(name);
    return output;
  }

  test('show what is there', () => follow('Before anything else 1').then(() => follow('Before anything else 2')));

  test('bring back a table that was dropped, and rows that were deleted', async () => {
    await app.query('DROP TABLE application.orders');
    await follow('Lost table 1');
    await follow('Lost table 2');
    expect(await app.query(ORDERS)).toBe(orders);
    expect(await app.query("SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'")).toBe('2');
    await app.query('DELETE FROM application.orders WHERE id % 3 = 0');
    await follow('Lost table 3');
    expect(await app.query(ORDERS)).toBe(orders);
    await follow('Lost table 4');
    expect(await app.query('SELECT count(*) FROM pg_database', 'postgres')).toBe('4');
  });

  test('bring back a database that was dropped, or is unusable', async () => {
    await app.query('DROP DATABASE modulodb WITH (FORCE)', 'postgres');
    await follow('Lost database 1');
    expect(await app.query(ORDERS)).toBe(orders);
    await app.query('UPDATE application.orders SET total = 0');
    await follow('Lost database 2');
    expect(await app.query(ORDERS)).toBe(orders);
    await follow('Lost database 3', { label: (await labels()).at(-1)! });
    expect(await app.query(ORDERS, 'modulodb_then')).toBe(orders);
  });

  test('bring back a server whose disk is gone, its roles with it', async () => {
    await app.query('CREATE ROLE shop_reader; GRANT SELECT ON application.orders TO shop_reader');
    await app.shell('scripts/backup-manager.sh create-backup');
    await app.compose('rm', '--stop', '--force', '--volumes', 'db');
    await app.shell(`docker volume rm ${app.name}_db-data`);
    await follow('Lost server 1');
    await follow('Lost server 2');
    expect(await app.query(ORDERS)).toBe(orders);
    expect(await app.query("SELECT has_table_privilege('shop_reader', 'application.orders', 'SELECT')")).toBe('t');
  });

  test('start again on a new host with nothing but the bucket', async () => {
    const host = await prepared(await openApp(settings));
    try {
      for (const number of [1, 2, 3]) await follow(`Lost host ${number}`, { on: host });
      expect(await host.query(ORDERS)).toBe(orders);
    } finally {
      await host.close();
    }
  });

  test('choose and prove a backup from before an intrusion', async () => {
    await follow('Ransomware 1', { label: (await labels()).at(-1)! });
    expect(await app.query(ORDERS, 'modulodb_clean')).toBe(orders);
    await follow('Ransomware 2');
  });

  test('mend a damaged backup from the other copy, and a lost manifest', async () => {
    const [label] = await labels();
    await inBackups(`printf x | dd of=/backups/full/${label}.sql.gz bs=1 seek=9000 conv=notrunc 2>/dev/null`);
    await follow('Corrupted backup 1', { label: label! });
    await follow('Corrupted backup 2', { label: label! });
    await follow('Corrupted backup 3');
    await inBackups(`rm /backups/full/${label}.sql.gz.meta`);
    await follow('Corrupted backup 4', { label: label! });
    await inBackups(`test -s /backups/full/${label}.sql.gz.meta`);
  });

  test('look into a drill, and run it again', async () => {
    await app.shell('scripts/backup-manager.sh monthly-drill');
    await follow('Failed drill 1');
    await follow('Failed drill 2');
  });

  test('find out why no backup was made, and make one', async () => {
    await app.compose('stop', 'db');
    expect(await follow('RPO breach 1')).toContain('exit status 10');
    await app.compose('up', '--detach', '--wait', 'db');
    await follow('RPO breach 2');
  });

  test('make room on a full disk', async () => {
    for (const number of [1, 2, 3]) await follow(`Disk full ${number}`);
  });

  test('say what is wrong with the bucket, and go on when it is back', async () => {
    proxy.inject(() => ({ kind: 'answer', status: 403, code: 'AccessDenied' }));
    expect(await follow('Bucket unreachable 1')).toContain('permission was denied');
    proxy.inject(() => undefined);
    await follow('Bucket unreachable 2');
  });

  test('replace a password and a key', async () => {
    await follow('Key lost 1');
    await follow('Key lost 2');
    expect(await readFile(join(app.folder, 'evidence.pem'), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(await readFile(join(app.folder, 'evidence.pub'), 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----/);
  });

  describe('of any instant', () => {
    let instant: string;
    const now = () => app.query(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`);

    /** Waits until everything that was committed before the time can be recovered. */
    async function recoverable(time: string): Promise<void> {
      await until(
        async () => {
          const { stdout } = await app.shell('scripts/backup-manager.sh list-backups --recoverable --json');
          const { windows } = JSON.parse(stdout) as { windows: { toTime?: string }[] };
          return windows.some(({ toTime }) => (toTime ?? '') >= time);
        },
        () => app.compose('logs', '--no-color', 'db-backup'),
      );
    }

    test('turn it on', async () => {
      await follow('Any instant: turn it on 1');
      await follow('Any instant: turn it on 2');
      await recoverable(await now());
      await follow('Any instant: turn it on 3');
    });

    test('bring back a table and a database as they were', async () => {
      instant = await now();
      await app.query('DELETE FROM application.orders WHERE id % 2 = 0');
      await recoverable(await now());
      await follow('Any instant: one table 1', { instant });
      await follow('Any instant: one table 2', { instant });
      expect(await app.query(ORDERS, 'modulodb_at')).toBe(orders);
      expect(await app.query(ORDERS.replace('orders', 'orders_then'))).toBe(orders);
    });

    test('bring back the whole server, and go on with the new primary', async () => {
      await follow('Any instant: the server 1', { instant });
      await follow('Any instant: the server 2');
      expect(await app.query(ORDERS)).toBe(orders);
      await follow('Any instant: the server 3');
      for (const number of [1, 2]) await follow(`After a failover ${number}`);
      await recoverable(await now());
    });

    test('free the disk of the source, and the volume of the backups', async () => {
      await follow('WAL fills the source 1');
      await follow('WAL fills the source 2');
      for (const number of [1, 2]) await follow(`WAL fills the backups ${number}`);
      await recoverable(await now());
    });
  });

  test('bring a database to a new major version', async () => {
    const old = await openApp({}, 15);
    try {
      await old.compose('up', '--detach', '--wait', 'db');
      await old.query(sample);
      await old.compose('up', '--detach', 'db-backup');
      await follow('Major version 1', { on: old });
      expect(await old.query(`SHOW server_version_num; ${ORDERS}`, 'modulodb', 'db-new')).toMatch(
        new RegExp(`^18\\d+\n${orders.replace('|', '\\|')}$`),
      );
    } finally {
      await old.close();
    }
  });

  test('need nothing of ours', async () => {
    await follow('Without this program 1');
    await follow('Without this program 2');
    expect(await app.query(ORDERS, 'modulodb_by_hand')).toBe(orders);
  });

  test('are done as duties', async () => {
    for (const number of [1, 2, 3, 4]) await follow(`Duties ${number}`);
  });

  test('move the backups to another host', async () => {
    for (const number of [1, 2, 3]) await follow(`New host ${number}`);
  });

  test('are all of them run here', () => {
    expect(blocks.map(({ name }) => name).filter((name) => !ran.has(name))).toEqual([]);
  });
});
