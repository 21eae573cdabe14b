import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { backupManager, CLI, sourceSettings } from '../support/command.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith, untilNone } from '../support/processes.ts';

const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;
const CTRL_C = '\u0003';

let server: ThrowAwayServer;
let folder: string;
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terminal-test-'));
  await mkdir(join(folder, 'backups'));
  server = await startThrowAwayServer({ binDirectory });
  await query('postgres', 'CREATE DATABASE shop');
  // Its refresh takes its time everywhere but at home: a restore that can be caught half-way.
  await query(
    'shop',
    `CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 1000) i;
     SELECT lo_from_bytea(0, '\\x00ff');
     CREATE FUNCTION wait() RETURNS int LANGUAGE plpgsql AS
       $$ BEGIN IF current_database() <> 'shop' THEN PERFORM pg_sleep(600); END IF; RETURN 1; END $$;
     CREATE MATERIALIZED VIEW slow AS SELECT wait();`,
  );
  env = {
    ...sourceSettings({ ...server.connection, database: 'shop' }),
    BACKUP_DIR: join(folder, 'backups'),
    BACKUP_PROGRAM_DIRECTORIES: binDirectory,
  };
  expect(await backupManager(['create-backup'], env)).toMatchObject({ status: 0 });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

afterEach(async () => {
  for (const name of await restoring()) await query('postgres', `DROP DATABASE "${name}" WITH (FORCE)`);
});

async function query(database: string, sql: string): Promise<Record<string, unknown>[]> {
  return withClient(
    { ...server.connection, database },
    async (client) => (await client.query<Record<string, unknown>>(sql)).rows,
  );
}

async function restoring(): Promise<string[]> {
  const rows = await query('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'again%'`);
  return rows.map(({ datname }) => String(datname));
}

interface OnTerminal {
  /** Holds the other end of the terminal: what is typed goes in, and when it dies the terminal is gone. */
  readonly terminal: ChildProcess;
  readonly closed: Promise<unknown>;
  readonly shown: () => string;
  /** Exit status of the command, told although its terminal may be gone. */
  readonly status: () => Promise<string>;
}

let commands = 0;

/** A command at a terminal of its own, as a shell would start it: the foreground, which Ctrl-C goes to whole. */
function onTerminal(args: string): OnTerminal {
  const status = join(folder, `status-${(commands += 1)}`);
  // The shell of the terminal dies with it, as a login shell does. The inner one outlives it, to tell the status; what that starts has
  // the usual signals.
  const command = `(trap : HUP INT; ${process.execPath} ${CLI} ${args}; echo $? >${status}); true`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...BARE_ENVIRONMENT, SHELL: '/bin/sh', TERM: 'xterm', ...env },
  });
  const closed = once(terminal, 'close');
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  return {
    terminal,
    closed,
    shown: () => shown,
    status: async () => {
      for (;;) {
        const text = await readFile(status, 'utf8').catch(() => '');
        if (text.endsWith('\n')) return text.trim();
        await sleep(20);
      }
    },
  };
}

/** Until a backend is at `what`, such as waiting for a lock. */
async function until(what: string): Promise<void> {
  while ((await query('postgres', `SELECT FROM pg_stat_activity WHERE ${what}`)).length === 0) await sleep(20);
}

const REFRESHING = `query LIKE 'REFRESH%' AND wait_event = 'PgSleep'`;

async function programsLeft(): Promise<string[]> {
  return (await processesWith(server.connection.host)).filter((line) => /pg_dump|pg_restore|psql|: flock|cli\.ts/.test(line));
}

async function expectNothingRuns(): Promise<void> {
  expect(await untilNone(programsLeft)).toEqual([]);
  const others = `SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'the test'`;
  expect(await untilNone(() => query('postgres', others))).toEqual([]);
}

describe('Ctrl-C at a terminal', () => {
  test('ends a backup in order: no program, no file but the report, and it says so', async () => {
    const before = await readdir(join(folder, 'backups', 'full'));
    const holder = await connect({ ...server.connection, database: 'shop' }, { applicationName: 'the test' });
    try {
      await holder.query('BEGIN; LOCK pg_largeobject IN ACCESS EXCLUSIVE MODE');
      const { terminal, shown, status, closed } = onTerminal('create-backup');
      await until(`wait_event_type = 'Lock'`);
      terminal.stdin!.write(CTRL_C);
      expect(await status()).toBe('130');
      await closed;
      // A bar that moves, for it is a terminal.
      expect(shown()).toMatch(/\r\u001b\[2K/);
      expect(shown()).toMatch(/SIGINT: cleaning up\. Once more to end at once/);
      expect(shown()).toMatch(/stopped by SIGINT; nothing of this backup was kept/);
      expect(shown()).toContain('Code: ABORTED (exit status 130)');
    } finally {
      await holder.end();
    }
    await expectNothingRuns();
    expect(await readdir(join(folder, 'backups', 'full'))).toEqual(before);
  });

  test.each([
    ['', /was dropped/, []],
    [' --keep-on-failure', /was kept as "again_restoring_\d{8}_\d{6}"/, [expect.stringMatching(/^again_restoring_/)]],
  ])('ends a restore%s, and what it says of the half-restored database is true', async (flag, says, left) => {
    const { terminal, shown, status, closed } = onTerminal(`restore latest again${flag}`);
    await until(REFRESHING);
    terminal.stdin!.write(CTRL_C);
    expect(await status()).toBe('130');
    await closed;
    expect(shown().replaceAll(/\s+/g, ' ')).toMatch(says);
    expect(shown()).toContain('Code: ABORTED (exit status 130)');
    expect(await restoring()).toEqual(left);
    await expectNothingRuns();
  });
});

describe('A terminal that is gone', () => {
  test.each([
    ['', []],
    [' --keep-on-failure', [expect.stringMatching(/^again_restoring_/)]],
  ])('ends a restore%s in order, although nothing can be said any more', async (flag, left) => {
    const { terminal, status } = onTerminal(`restore latest again${flag}`);
    await until(REFRESHING);
    // The kernel hangs up on who is in the foreground; all they write from then on fails with EIO.
    terminal.kill('SIGKILL');
    expect(await status()).toBe('130');
    expect(await restoring()).toEqual(left);
    await expectNothingRuns();
  });
});
