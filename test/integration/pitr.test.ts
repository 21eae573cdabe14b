import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sourceSettings, backupManager, CLI, type Ended } from '../support/command.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { blocksOf, runShell } from '../support/documents.ts';
import { startTestServer, type TestServer } from '../support/dump-to-file.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { testWithMounts, withMount } from '../support/mounting.ts';
import { isRunning } from '../support/is-running.ts';
import { processesWith } from '../support/processes.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';
import { startServerOn } from '../support/server-on.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const s3 = await startS3Server();
const MAJORS = [15, 17].filter((major) => installedVersions().some((version) => version.major === major));

afterAll(async () => await s3?.stop());

/** What the commands print, as far as it is looked at. */
interface Answer {
  readonly label?: string;
  readonly wal?: readonly string[];
  readonly windows?: readonly { readonly base: string; readonly toTime?: string; readonly gap?: string }[];
  readonly unusable?: readonly unknown[];
  readonly state?: string;
  readonly asked?: string;
  readonly reached?: { readonly lsn: string; readonly lastTransaction?: string; readonly timeline?: number };
  readonly server?: { readonly host: string; readonly pid: number };
}

/** Server, daemon and commands of one version. */
class Ground {
  readonly server: TestServer;
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly lines: Record<string, unknown>[] = [];
  #daemon: ChildProcess | undefined;

  private constructor(server: TestServer, folder: string, bucket: S3Server | undefined, major: number) {
    this.server = server;
    this.folder = folder;
    this.env = {
      ...sourceSettings(server.connection),
      ...{ BACKUP_DIR: join(folder, 'backups'), BACKUP_PROGRAM_DIRECTORIES: server.programs.directory },
      ...{ PITR_ENABLED: 'true', PITR_INTERVAL: '1', BACKUP_WORK_DIR: folder, BACKUP_CODEC: major === 15 ? 'gzip' : 'zstd' },
      ...(bucket && {
        ...{ BACKUP_S3_BUCKET: `pitr-${major}`, BACKUP_S3_ENDPOINT: bucket.endpoint, AWS_REGION: bucket.region },
        ...{ AWS_ACCESS_KEY_ID: bucket.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: bucket.credentials.secretAccessKey },
      }),
    };
  }

  static async open(major: number): Promise<Ground> {
    const settings = { wal_level: 'replica', max_wal_senders: '6', fsync: 'on' };
    const server = await startTestServer(major, { settings });
    const folder = await mkdtemp(join(tmpdir(), 'pitr-'));
    // The account that servers run as enters it.
    await chmod(folder, 0o755);
    await mkdir(join(folder, 'backups'));
    await s3?.createBucket(`pitr-${major}`);
    return new Ground(server, folder, s3, major);
  }

  async startDaemon(until = 'WAL is streamed'): Promise<void> {
    this.lines.length = 0;
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...this.env },
    });
    this.#daemon = child;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      this.lines.push(...parts.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
    await this.logged(until);
  }

  async logged(message: string): Promise<void> {
    while (!this.lines.some(({ msg }) => String(msg).includes(message))) {
      if (this.#daemon?.exitCode !== null) throw new Error('the daemon ended');
      await sleep(20);
    }
  }

  async endDaemon(signal: NodeJS.Signals): Promise<void> {
    const child = this.#daemon;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async run(...args: string[]): Promise<Ended> {
    return await backupManager(args, this.env);
  }

  async json(...args: string[]): Promise<Answer> {
    const { stdout, stderr } = await this.run(...args, '--json');
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Answer;
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    return await this.server.sql('postgres', text);
  }

  /** Commits the next number, and returns the source's time right after that. */
  async mark(): Promise<string> {
    await this.sql('INSERT INTO marks SELECT count(*) + 1 FROM marks');
    const [row] = await this.sql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`);
    return String(row!['time']);
  }

  /** Waits until the instant can be recovered, by what the command says. */
  async recoverableTo(time: string, ...args: string[]): Promise<void> {
    for (;;) {
      const { windows } = await this.json('list-backups', '--recoverable', ...args);
      if (windows?.some(({ toTime }) => (toTime ?? '') >= time)) return;
      await sleep(200);
    }
  }

  /** The marks that a server recovered by `args` has. */
  async marksAfter(name: string, ...args: string[]): Promise<number> {
    const into = join(this.folder, name);
    const done = await this.run('recover', '--into', into, ...args);
    expect(done).toMatchObject({ status: 0 });
    const server = await startServerOn(into, this.server.programs.directory, this.server.connection);
    try {
      return Number((await server.row('SELECT count(*)::int AS marks FROM marks'))['marks']);
    } finally {
      await server.stop();
      await rm(into, { recursive: true });
      await rm(`${into}.tablespaces`, { recursive: true, force: true });
    }
  }

  /** The same by a server that the command starts, and what the command said. */
  async recovered(name: string, ...args: string[]): Promise<{ readonly says: Answer; readonly marks: number }> {
    const into = join(this.folder, name);
    const says = await this.json('recover', '--start', '--into', into, ...args);
    const { host, pid } = says.server!;
    try {
      const [row] = await withClient({ ...this.server.connection, host }, async (client) => {
        return (await client.query<{ marks: number }>('SELECT count(*)::int AS marks FROM marks')).rows;
      });
      return { says, marks: row!.marks };
    } finally {
      process.kill(pid, 'SIGQUIT');
      while (isRunning(pid)) await sleep(20);
      await rm(into, { recursive: true });
      await rm(`${into}.tablespaces`, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {
    await this.endDaemon('SIGKILL');
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe.each(MAJORS)('point-in-time recovery of PostgreSQL %i', (major) => {
  let ground: Ground;
  const from = s3 ? ['--target', 's3'] : [];

  beforeAll(async () => {
    ground = await Ground.open(major);
    const space = await ground.server.server.makeFolder('space');
    await ground.sql(`CREATE TABLESPACE elsewhere LOCATION '${space}'`);
    await ground.sql('CREATE TABLE marks (n int PRIMARY KEY) TABLESPACE elsewhere');
    await ground.startDaemon();
  });

  afterAll(async () => {
    await ground.close();
  });

  test('a physical backup counts once the WAL that it needs is stored, and is an ordinary archive', async () => {
    await ground.mark();
    const made = await ground.json('create-backup', '--physical');
    expect(made).toMatchObject({ outcome: 'success', label: expect.stringMatching(/^base_postgres_/) });
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
    const now = await ground.recovered('latest', ...from);
    expect(now.marks).toBe(5);
    expect(now.says.reached!.lastTransaction! > instant).toBe(true);
    const paused = await ground.recovered('paused', '--to', instant, '--pause', ...from);
    expect(paused).toMatchObject({ marks: 3, says: { state: 'paused' } });
    expect(paused.says.reached).not.toHaveProperty('timeline');
  });

  test('a receiver and a daemon that are killed leave no gap', async () => {
    const receivers = await processesWith(`pg_receivewal\0-D\0${ground.folder}`);
    expect(receivers).toHaveLength(1);
    for (const receiver of receivers) process.kill(Number.parseInt(receiver, 10), 'SIGKILL');
    await ground.mark();
    await ground.sql('SELECT pg_switch_wal()');
    await ground.logged('the stream of WAL broke off');
    await ground.endDaemon('SIGKILL');
    await ground.mark();
    await ground.sql('SELECT pg_switch_wal()');
    await ground.startDaemon();
    const last = await ground.mark();
    await ground.recoverableTo(last, ...from);
    const { windows } = await ground.json('list-backups', '--recoverable');
    expect(windows?.[0]).not.toHaveProperty('gap');
    expect(await ground.marksAfter('killed', '--to', 'latest', ...from)).toBe(8);
  });

  test('the commands of docs/pitr.md work as they stand there', async () => {
    const [block] = await blocksOf('docs/pitr.md', 'sh');
    const instant = await ground.mark();
    const [{ n: marks }] = (await ground.sql('SELECT count(*)::int AS n FROM marks')) as [{ n: number }];
    await ground.recoverableTo(await ground.mark());
    const into = join(ground.folder, 'by-the-document');
    const commands = block!.replaceAll('/var/lib/postgresql/recovered', into).replaceAll('2026-01-31T14:05:00Z', instant);
    const bin = join(ground.folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'backup-manager'), `#!/bin/sh\nexec ${process.execPath} ${CLI} "$@"\n`, { mode: 0o755 });
    // The server is started below, as an account that it runs as.
    await writeFile(join(bin, 'pg_ctl'), '#!/bin/sh\n', { mode: 0o755 });
    const env = { ...ground.env, PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` };
    const done = await runShell(`set -e\n${commands}`, { cwd: ground.folder, env });
    expect(done).toMatchObject({ status: 0, says: expect.stringContaining(`${into} is ready`) });
    const server = await startServerOn(into, ground.server.programs.directory, ground.server.connection);
    try {
      expect(await server.row('SELECT count(*)::int AS n FROM marks')).toEqual({ n: marks });
    } finally {
      await server.stop();
    }
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

  // Where the system has them, they cannot be taken away.
  const withoutServer = existsSync(`/usr/lib/postgresql/${major}`) ? test.skip : test;
  withoutServer('without server programs of the very version nothing is fetched', async () => {
    const into = join(ground.folder, 'refused');
    const other = installedVersions().find((version) => version.major > major);
    const env = { ...ground.env, BACKUP_PROGRAM_DIRECTORIES: other?.binDirectory ?? '/nonexistent' };
    const wrong = await backupManager(['recover', '--start', '--into', into], env);
    expect(wrong).toMatchObject({ status: 50, stderr: expect.stringContaining(`server programs of version ${major}`) });
    expect(await readdir(ground.folder)).not.toContain('refused');
  });

  testWithMounts('a disk that is too small is told before anything is fetched', async () => {
    const small = join(ground.folder, 'small');
    await withMount(small, 'size=8m', async () => {
      const full = await ground.run('recover', '--into', join(small, 'data'));
      expect(full).toMatchObject({ status: 20, stderr: expect.stringMatching(/there is no room in .*: it needs .* are free/) });
      expect(await readdir(small)).toEqual([]);
    });
    await rm(small, { recursive: true });
  });

  test('a folder that holds something is refused', async () => {
    const into = join(ground.folder, 'full');
    await mkdir(into);
    await writeFile(join(into, 'postmaster.pid'), '1');
    const refused = await ground.run('recover', '--into', into);
    expect(refused).toMatchObject({ status: 40, stderr: expect.stringContaining('a server may be running on it') });
    expect(await readFile(join(into, 'postmaster.pid'), 'utf8')).toBe('1');
  });

  test('a damaged segment is found before anything is started, and an intact copy elsewhere serves', async () => {
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
    try {
      const into = join(ground.folder, 'damaged');
      const alone = await ground.run('recover', '--into', into, '--target', 'local');
      expect(alone).toMatchObject({ status: 30, stderr: expect.stringContaining(file) });
      expect(await readdir(ground.folder)).not.toContain('damaged');
      if (s3) expect(await ground.marksAfter('mended', '--to', 'latest')).toBe(10);
    } finally {
      await writeFile(file, whole);
    }
  });

  test('a slot that is dropped behind our back is made again, and the gap is told', async () => {
    await ground.endDaemon('SIGTERM');
    await ground.sql(`SELECT pg_drop_replication_slot('db_backup')`);
    for (let i = 0; i < 3; i += 1) {
      await ground.mark();
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
