import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { HealthCheck } from '../../src/health/check.ts';
import { readStreamState, type StreamState } from '../../src/wal/stream-state.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { serverAccount } from '../../src/postgres/server-account.ts';
import { backupManager, CLI, sourceSettings, type Ended } from './command.ts';
import { runShell } from './documents.ts';
import { startTestServer, type TestServer } from './dump-to-file.ts';
import { isRunning } from './is-running.ts';
import type { S3Server } from './s3-server.ts';
import { startServerOn } from './server-on.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** What the commands print, as far as it is looked at. */
export interface Answer {
  readonly label?: string;
  readonly base?: string;
  readonly wal?: readonly string[];
  readonly bytes?: number;
  readonly startLsn?: string;
  readonly parent?: string;
  readonly fullBecause?: string;
  readonly chain?: readonly string[];
  readonly passedOver?: string;
  readonly windows?: readonly {
    readonly base: string;
    readonly parent?: string;
    readonly toTime?: string;
    readonly gap?: string;
    readonly short?: string;
  }[];
  readonly unusable?: readonly { readonly base: string; readonly why: string }[];
  readonly measured?: boolean;
  readonly kept?: { readonly files: number };
  readonly jobs?: readonly unknown[];
  readonly state?: string;
  readonly asked?: string;
  readonly reached?: { readonly lsn: string; readonly lastTransaction?: string; readonly timeline?: number };
  readonly server?: { readonly host: string; readonly pid: number };
}

/** A server with point-in-time recovery, the daemon and the commands. */
export class PitrGround {
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
      // Backups are made where a test says so.
      BACKUP_CATCH_UP_HOURS: '0',
      ...(bucket && {
        ...{ BACKUP_S3_BUCKET: `pitr-${major}`, BACKUP_S3_ENDPOINT: bucket.endpoint, AWS_REGION: bucket.region },
        ...{ AWS_ACCESS_KEY_ID: bucket.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: bucket.credentials.secretAccessKey },
      }),
    };
  }

  static async open(major: number, s3?: S3Server, more: Readonly<Record<string, string>> = {}): Promise<PitrGround> {
    const settings = { wal_level: 'replica', max_wal_senders: '6', fsync: 'on', ...more };
    // The default from PostgreSQL 18 on.
    const server = await startTestServer(major, { settings, initdbArgs: major < 17 ? [] : ['--data-checksums'] });
    const folder = await mkdtemp(join(tmpdir(), 'pitr-'));
    // The account that servers run as enters it.
    await chmod(folder, 0o755);
    await mkdir(join(folder, 'backups'));
    await s3?.createBucket(`pitr-${major}`);
    return new PitrGround(server, folder, s3, major);
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

  /** What `health` says, by the names of the checks. */
  async health(...args: string[]): Promise<Record<string, HealthCheck>> {
    const { stdout, stderr } = await this.run('health', ...args, '--json');
    if (stdout === '') throw new Error(stderr);
    const [{ checks }] = (JSON.parse(stdout) as { sources: [{ checks: HealthCheck[] }] }).sources;
    return Object.fromEntries(checks.map((check) => [[check.check, check.object].filter(Boolean).join(' '), check]));
  }

  /** Waits until the daemon says so of its stream. */
  async streamState(isSo: (state: StreamState, first: StreamState) => boolean): Promise<StreamState> {
    const folder = join(this.env['BACKUP_DIR']!, 'wal/postgres/incoming');
    const first = await readStreamState(folder);
    for (;;) {
      const state = await readStreamState(folder);
      if (state && isSo(state, first ?? state)) return state;
      await sleep(50);
    }
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    return await this.server.sql('postgres', text);
  }

  /** The source's clock. */
  async now(): Promise<string> {
    const [row] = await this.sql(`SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time`);
    return String(row!['time']);
  }

  /** The newest physical backup in the local target. */
  async base(): Promise<{ readonly label: string; readonly startLsn: string }> {
    const folder = join(this.folder, 'backups/base');
    const name = (await readdir(folder))
      .filter((each) => each.endsWith('.meta'))
      .sort()
      .at(-1)!;
    return JSON.parse(await readFile(join(folder, name), 'utf8')) as { label: string; startLsn: string };
  }

  /** Takes a physical backup, at most so many incremental ones after a full one. */
  async physical(incrementals: number): Promise<Answer> {
    const env = { ...this.env, PITR_INCREMENTALS: String(incrementals) };
    const { stdout, stderr } = await backupManager(['create-backup', '--physical', '--json'], env);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as Answer;
  }

  /** Commits the next number, and returns the source's time right after that. */
  async mark(): Promise<string> {
    await this.sql('INSERT INTO marks SELECT count(*) + 1 FROM marks');
    return await this.now();
  }

  /** Commands of a document run as ourselves; the server that is started afterwards has an account of its own. */
  async giveToServer(...paths: readonly string[]): Promise<void> {
    const account = await serverAccount();
    if (account) await runProgram('chown', ['-R', `${account.uid}:${account.gid}`, ...paths]);
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
    if (done.status !== 0) throw new Error(done.stderr);
    try {
      return await this.marksIn(into);
    } finally {
      await rm(into, { recursive: true });
      await rm(`${into}.tablespaces`, { recursive: true, force: true });
    }
  }

  /** How many marks a server finds in a data directory, once it has recovered. */
  async marksIn(dataDirectory: string): Promise<number> {
    const server = await startServerOn(dataDirectory, this.server.programs.directory, this.server.connection);
    try {
      return Number((await server.row('SELECT count(*)::int AS marks FROM marks'))['marks']);
    } finally {
      await server.stop();
    }
  }

  /** The same by a server that the command starts, and what the command said. */
  async recovered(name: string, ...args: string[]): Promise<{ readonly says: Answer; readonly marks: number }> {
    const { says, rows } = await this.inspect(name, 'SELECT count(*)::int AS marks FROM marks', ...args);
    return { says, marks: Number(rows[0]!['marks']) };
  }

  /** What a query says on a server that `recover --start` starts, which goes afterwards. */
  async inspect(
    name: string,
    query: string,
    ...args: string[]
  ): Promise<{ readonly says: Answer; readonly rows: Record<string, unknown>[] }> {
    const into = join(this.folder, name);
    const says = await this.json('recover', '--start', '--into', into, ...args);
    if (!says.server) throw new Error(JSON.stringify(says));
    const { host, pid } = says.server;
    try {
      const { rows } = await withClient({ ...this.server.connection, host }, (client) =>
        client.query<Record<string, unknown>>(query),
      );
      return { says, rows };
    } finally {
      process.kill(pid, 'SIGQUIT');
      while (isRunning(pid)) await sleep(20);
      await rm(into, { recursive: true });
      await rm(`${into}.tablespaces`, { recursive: true, force: true });
    }
  }

  /** Runs the commands of a document as they stand there, with names of this place in them. */
  async shell(
    commands: string,
    names: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number | null; readonly says: string }> {
    const bin = join(this.folder, 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'backup-manager'), `#!/bin/sh\nexec ${process.execPath} ${CLI} "$@"\n`, { mode: 0o755 });
    // The server is started by the test, as an account that it runs as.
    await writeFile(join(bin, 'pg_ctl'), '#!/bin/sh\n', { mode: 0o755 });
    const text = Object.entries(names).reduce((all, [name, here]) => all.replaceAll(name, here), commands);
    return await runShell(`set -e\n${text}`, {
      cwd: this.folder,
      env: { ...this.env, PATH: `${bin}:${this.server.programs.directory}:/usr/local/bin:/usr/bin:/bin` },
    });
  }

  async close(): Promise<void> {
    await this.endDaemon('SIGKILL');
    await this.server.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
