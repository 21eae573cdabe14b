import { execFile } from 'node:child_process';
import { appendFile, chmod, cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { serverAccount } from '../../src/postgres/server-account.ts';
import { backupManager, CLI, sourceSettings } from '../support/command.ts';
import { startTestServer, type TestServer } from '../support/dump-to-file.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startServerOn } from '../support/server-on.ts';

const MAJORS = [15, 17].filter((major) => installedVersions().some((version) => version.major === major));
/** Nothing listens there. */
const NO_BUCKET = {
  ...{ BACKUP_S3_BUCKET: 'nowhere', BACKUP_S3_ENDPOINT: 'http://127.0.0.1:1', AWS_REGION: 'us-east-1' },
  ...{ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', BACKUP_STORAGE_ATTEMPTS: '1' },
};

describe.each(MAJORS)('archive_command and restore_command of PostgreSQL %i', (major) => {
  let server: TestServer;
  let folder: string;
  let archive: string;
  let env: Record<string, string>;

  /** What the server's commands are called with from now on. */
  async function configure(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const words = Object.entries({ ...BARE_ENVIRONMENT, ...env, ...more }).map(([name, value]) => `'${name}=${value}'`);
    const script = `#!/bin/sh\nexec env -i ${words.join(' ')} '${process.execPath}' '${CLI}' "$@"\n`;
    await writeFile(join(folder, 'manager.new'), script);
    await chmod(join(folder, 'manager.new'), 0o755);
    await cp(join(folder, 'manager.new'), join(folder, 'manager'));
  }

  /** Commits a number and ends the segment; returns the segment's name. */
  async function fill(): Promise<string> {
    await server.sql('postgres', 'INSERT INTO marks SELECT count(*) + 1 FROM marks');
    const [row] = await server.sql('postgres', 'SELECT pg_walfile_name(pg_switch_wal()) AS name');
    return String(row!['name']);
  }

  async function archived(name: string): Promise<void> {
    for (;;) {
      const [row] = await server.sql('postgres', 'SELECT last_archived_wal AS name FROM pg_stat_archiver');
      if (((row!['name'] as string | null) ?? '') >= name) return;
      await sleep(50);
    }
  }

  const pgWal = (name: string) => join(server.server.dataDirectory, 'pg_wal', name);
  const wal = (...args: string[]) => backupManager(args, env);

  beforeAll(async () => {
    server = await startTestServer(major, { settings: { archive_mode: 'on', archive_command: '', wal_keep_size: '1GB' } });
    folder = await server.server.makeFolder('manager');
    archive = join(folder, 'backups');
    env = { POSTGRES_DB: 'postgres', BACKUP_SOURCE_NAME: 'shop', BACKUP_DIR: archive, BACKUP_WORK_DIR: folder };
    await server.server.makeFolder('manager/backups');
    await configure();
    await server.sql('postgres', 'CREATE TABLE marks (n int PRIMARY KEY)');
    await server.sql('postgres', `ALTER SYSTEM SET archive_command = '${folder}/manager wal-push %p'`);
    await server.sql('postgres', 'SELECT pg_reload_conf()');
  });

  afterAll(async () => {
    await server.stop();
  });

  test('the server archives into the same layout, and the same file again is no failure', async () => {
    const name = await fill();
    await archived(name);
    const stored = (await readdir(join(archive, 'wal/shop/00000001'))).filter((each) => each.startsWith(name));
    expect(stored).toEqual([`${name}.gz`, `${name}.gz.meta`]);
    const before = await stat(join(archive, 'wal/shop/00000001', `${name}.gz`));
    expect(await wal('wal-push', pgWal(name))).toMatchObject({ status: 0, stderr: '' });
    expect((await stat(join(archive, 'wal/shop/00000001', `${name}.gz`))).mtimeMs).toBe(before.mtimeMs);
    expect(JSON.parse(await readFile(join(archive, 'wal/shop/archive.json'), 'utf8'))).toMatchObject({
      segmentBytes: 16 * 2 ** 20,
    });
  });

  test('another segment under the same name is refused, and so is one that is not what its name says', async () => {
    const name = await fill();
    await archived(name);
    const other = await readFile(pgWal(name));
    other[5000] = other[5000]! ^ 1;
    await writeFile(join(folder, name), other);
    const refused = await wal('wal-push', join(folder, name));
    expect(refused).toMatchObject({ status: 20, stderr: expect.stringContaining('holds another file of WAL') });
    // Of another server.
    other.writeBigUInt64LE(1234567890123456789n, 24);
    await writeFile(join(folder, name), other);
    expect(await wal('wal-push', join(folder, name))).toMatchObject({
      status: 10,
      stderr: expect.stringContaining('another server (1234567890123456789)'),
    });
    const misnamed = join(folder, `${name.slice(0, -2)}FE`);
    await cp(pgWal(name), misnamed);
    expect(await wal('wal-push', misnamed)).toMatchObject({ status: 30, stderr: expect.stringContaining('it begins at') });
    expect(await wal('wal-push', join(folder, 'manager'))).toMatchObject({ status: 2 });
  });

  test('success is not reported before every target that must have the file has it', async () => {
    await configure(NO_BUCKET);
    const name = await fill();
    const [before] = await server.sql('postgres', 'SELECT failed_count AS n FROM pg_stat_archiver');
    for (;;) {
      const [now] = await server.sql('postgres', 'SELECT failed_count AS n FROM pg_stat_archiver');
      if (Number(now!['n']) > Number(before!['n'])) break;
      await sleep(50);
    }
    expect(await readdir(join(server.server.dataDirectory, 'pg_wal/archive_status'))).toContain(`${name}.ready`);
    // Where the bucket may lack it, only the directory must have it.
    await configure({ ...NO_BUCKET, PITR_PUSH_TARGETS: 'local' });
    await archived(name);
    await configure();
  });

  test('a server recovers with it: what is there comes whole, and what is not there ends the recovery', async () => {
    const data = join(folder, 'recovered');
    await promisify(execFile)(join(server.programs.directory, 'pg_basebackup'), ['-D', data, '-X', 'none', '-c', 'fast'], {
      env: libpqEnvironment(server.connection),
    });
    const last = await fill();
    await archived(last);
    const [{ n }] = (await server.sql('postgres', 'SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    await writeFile(
      join(data, 'postgresql.auto.conf'),
      `restore_command = '${folder}/manager wal-fetch %f %p'\narchive_mode = off\n`,
    );
    await writeFile(join(data, 'recovery.signal'), '');
    const account = await serverAccount();
    if (account) await promisify(execFile)('chown', ['-R', `${account.uid}:${account.gid}`, data]);
    const recovered = await startServerOn(data, server.programs.directory, server.connection);
    try {
      expect(await recovered.row('SELECT count(*)::int AS n FROM marks')).toEqual({ n });
      expect(recovered.log()).toMatch(new RegExp(`restored log file "${last}" from archive`));
    } finally {
      await recovered.stop();
      await rm(data, { recursive: true });
    }
  });

  test('wal-fetch says 1 only when there is no such file, and more than 125 when that cannot be said', async () => {
    const to = join(folder, 'fetched');
    const name = await fill();
    await archived(name);
    expect(await wal('wal-fetch', name, to)).toMatchObject({ status: 0, stderr: '' });
    expect((await readFile(to)).equals(await readFile(pgWal(name)))).toBe(true);
    await rm(to);
    expect(await wal('wal-fetch', '0000000100000000000000FF', to)).toMatchObject({ status: 1, stderr: '' });
    expect(await wal('wal-fetch', '00000002.history', to)).toMatchObject({ status: 1 });
    expect(await backupManager(['wal-fetch', '0000000100000000000000FF', to], { ...env, ...NO_BUCKET })).toMatchObject({
      status: 126,
    });
    const stored = join(archive, 'wal/shop/00000001', `${name}.gz`);
    const bytes = await readFile(stored);
    bytes[100] = bytes[100]! ^ 1;
    await writeFile(stored, bytes);
    expect(await wal('wal-fetch', name, to)).toMatchObject({ status: 126, stderr: expect.stringContaining('damaged') });
    expect(await readdir(folder)).not.toContain('fetched');
  });

  if (major === MAJORS.at(-1))
    test('a physical backup with the WAL that it needs inside is recovered with what was archived since', async () => {
      const own = { ...env, ...sourceSettings(server.connection), BACKUP_SOURCE_NAME: 'shop' };
      const programs = { BACKUP_PROGRAM_DIRECTORIES: server.programs.directory };
      const made = await backupManager(['create-backup', '--physical'], { ...own, ...programs });
      expect(made).toMatchObject({ status: 0 });
      await archived(await fill());
      const [{ n }] = (await server.sql('postgres', 'SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
      const into = join(folder, 'with-its-wal');
      expect(await backupManager(['recover', '--into', into], { ...own, ...programs })).toMatchObject({ status: 0 });
      // It would archive its own timeline beside that of the source.
      await appendFile(join(into, 'postgresql.auto.conf'), 'archive_mode = off\n');
      const recovered = await startServerOn(into, server.programs.directory, server.connection);
      try {
        expect(await recovered.row('SELECT count(*)::int AS n FROM marks')).toEqual({ n });
      } finally {
        await recovered.stop();
      }
    });
});
