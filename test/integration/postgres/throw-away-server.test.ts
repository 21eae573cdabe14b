import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { withClient, type ConnectionOptions } from '../../../src/postgres/connection.ts';
import { findPrograms } from '../../../src/postgres/programs.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../../src/postgres/throw-away-server.ts';
import { isRunning } from '../../support/is-running.ts';
import { processesWith } from '../../support/processes.ts';

let binDirectory: string;
let parentFolder: string;

beforeAll(async () => {
  binDirectory = (await findPrograms({ serverMajor: 12 })).directory;
  parentFolder = await mkdtemp(join(tmpdir(), 'servers-'));
  // The account of the server must be able to make its way to its own folder.
  await chmod(parentFolder, 0o711);
});
afterAll(async () => await rm(parentFolder, { recursive: true, force: true }));

async function ask(connection: ConnectionOptions, sql: string): Promise<unknown> {
  return await withClient(connection, async (client) => Object.values((await client.query(sql)).rows[0])[0]);
}

async function serverPid(server: { dataDirectory: string }): Promise<number> {
  return Number.parseInt(await readFile(join(server.dataDirectory, 'postmaster.pid'), 'utf8'), 10);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(50);
}

describe('a throw-away server', () => {
  let server: ThrowAwayServer;
  beforeAll(async () => {
    server = await startThrowAwayServer({ binDirectory, parentFolder, listenOnLoopback: true, settings: { work_mem: '5MB' } });
  }, 120_000);
  afterAll(async () => await server.stop());

  test('has a superuser with a name of its own, UTF-8, and keeps nothing safe', async () => {
    expect(server.connection.user).toMatch(/^throw_away_[0-9a-f]{12}$/);
    expect(await ask(server.connection, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).toBe(true);
    expect(await ask(server.connection, 'SHOW server_encoding')).toBe('UTF8');
    expect(await ask(server.connection, 'SHOW fsync')).toBe('off');
    expect(await ask(server.connection, 'SHOW work_mem')).toBe('5MB');
  });

  test('is reached by nobody else: its folder is private, and TCP wants a password', async () => {
    const { mode } = await stat(server.connection.host);
    expect(mode & 0o777).toBe(0o700);
    expect(await ask(server.loopback!, 'SELECT 1')).toBe(1);
    await expect(ask({ ...server.loopback!, password: 'guess' }, 'SELECT 1')).rejects.toMatchObject({
      code: 'SOURCE_AUTHENTICATION',
    });
  });

  test('does not run as root', async () => {
    expect(await stat(server.dataDirectory)).not.toMatchObject({ uid: 0 });
  });
});

test('takes a user and arguments of initdb', async () => {
  const initdbArgs = ['-E', 'LATIN1', '--locale=C'];
  const server = await startThrowAwayServer({ binDirectory, parentFolder, user: 'Boss 1', initdbArgs });
  try {
    expect(await ask(server.connection, 'SELECT current_user')).toBe('Boss 1');
    expect(await ask(server.connection, 'SHOW server_encoding')).toBe('LATIN1');
  } finally {
    await server.stop();
  }
}, 120_000);

test('several run at once, and each leaves nothing behind, stopped with clients on it or killed', async () => {
  const servers = await Promise.all([1, 2].map(async () => await startThrowAwayServer({ binDirectory, parentFolder })));
  const pids = await Promise.all(servers.map(serverPid));
  const [first, second] = servers as [ThrowAwayServer, ThrowAwayServer];
  await withClient(first.connection, async (client) => {
    const sleeping = client.query('SELECT pg_sleep(600)').catch(() => 'gone');
    await first.stop();
    expect(await sleeping).toBe('gone');
  });
  expect(await ask(second.connection, 'SELECT 1')).toBe(1);
  await second.kill();
  await Promise.all([first.stop(), second.stop()]);
  expect(pids.map(isRunning)).toEqual([false, false]);
  expect(await readdir(parentFolder)).toEqual([]);
}, 120_000);

test('one in a folder with a long path is reached all the same', async () => {
  const deep = join(await mkdtemp(join(tmpdir(), 'deep-')), 'x'.repeat(80));
  await chmod(dirname(deep), 0o711);
  await mkdir(deep, { mode: 0o711 });
  const server = await startThrowAwayServer({ binDirectory, parentFolder: deep });
  expect(await ask(server.connection, 'SELECT 1')).toBe(1);
  await server.stop();
  expect([existsSync(server.connection.host), await readdir(deep)]).toEqual([false, []]);
  await rm(dirname(deep), { recursive: true });
}, 120_000);

test('one that cannot start says what its log says, and leaves nothing', async () => {
  const start = startThrowAwayServer({ binDirectory, parentFolder, settings: { no_such_setting: '1' } });
  await expect(start).rejects.toMatchObject({
    code: 'SERVER_START_FAILED',
    message: expect.stringContaining('unrecognized configuration parameter "no_such_setting"'),
  });
  await expect(startThrowAwayServer({ binDirectory: '/nonexistent', parentFolder })).rejects.toMatchObject({
    code: 'SERVER_START_FAILED',
  });
  await expect(startThrowAwayServer({ binDirectory, parentFolder, initdbArgs: ['--no-such-option'] })).rejects.toMatchObject({
    message: expect.stringContaining('no-such-option'),
  });
  expect(await readdir(parentFolder)).toEqual([]);
}, 120_000);

test('an abort during the start leaves nothing', async () => {
  const controller = new AbortController();
  const start = startThrowAwayServer({ binDirectory, parentFolder, signal: controller.signal });
  setTimeout(() => controller.abort(), 200);
  await expect(start).rejects.toMatchObject({ name: 'AbortError' });
  expect(await readdir(parentFolder)).toEqual([]);
}, 120_000);

const isRoot = process.getuid?.() === 0;
if (!isRoot) console.warn('not run: servers under other accounts (only root can start them)');
const asRoot = isRoot ? test : test.skip;
const WRAPPER = ['/usr/lib64', '/usr/lib', ...readdirSync('/usr/lib').map((name) => join('/usr/lib', name))].some((folder) =>
  existsSync(join(folder, 'libnss_wrapper.so')),
);

asRoot.each([
  ['a plain account', 65534],
  ['a user that nobody has a name for', 54321],
])(
  'runs as %s',
  async (_, uid) => {
    const own = await mkdtemp(join(tmpdir(), 'own-'));
    await chown(own, uid, uid);
    const module = new URL('../../../src/postgres/throw-away-server.ts', import.meta.url).href;
    const script = `
      import { stat } from 'node:fs/promises';
      import { startThrowAwayServer } from ${JSON.stringify(module)};
      try {
        const server = await startThrowAwayServer({ binDirectory: ${JSON.stringify(binDirectory)}, parentFolder: ${JSON.stringify(own)} });
        console.log((await stat(server.dataDirectory)).uid);
        await server.stop();
      } catch (error) { console.log(error.message + ' ' + error.hint); }
    `;
    const args = ['--input-type=module', '--no-warnings', '-e', script];
    const child = spawn(process.execPath, args, { uid, gid: uid, cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    if (uid === 54321 && !WRAPPER) expect(said).toMatch(/user 54321 has no entry .*libnss-wrapper/);
    else expect(said.trim()).toBe(String(uid));
    expect(await readdir(own)).toEqual([]);
    await rm(own, { recursive: true });
  },
  120_000,
);

describe('when our process is killed', () => {
  const module = new URL('../../../src/postgres/throw-away-server.ts', import.meta.url).href;
  const script = `
    import { startThrowAwayServer } from ${JSON.stringify(module)};
    const [binDirectory, parentFolder] = process.argv.slice(-2);
    const starting = startThrowAwayServer({ binDirectory, parentFolder });
    console.log(JSON.stringify({ starting: true }));
    console.log(JSON.stringify(await starting));
    setInterval(() => undefined, 1000);
  `;

  /** A process of ours with a server, and the lines that it says. */
  function run(): { child: ReturnType<typeof spawn>; lines: AsyncIterator<string>; exited: Promise<unknown> } {
    const args = ['--input-type=module', '--no-warnings', '-e', script, '--', binDirectory, parentFolder];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](), exited };
  }

  test('by SIGKILL, its server ends and the folder goes', async () => {
    const { child, lines, exited } = run();
    await lines.next();
    const server = JSON.parse((await lines.next()).value) as ThrowAwayServer;
    const pid = await serverPid(server);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    await exited;
    await until(() => !isRunning(pid) && !existsSync(dirname(server.dataDirectory)));
    expect(await readdir(parentFolder)).toEqual([]);
  }, 120_000);

  test('together with everything that kept its server, the next start removes what is left, and nothing else', async () => {
    const alive = await startThrowAwayServer({ binDirectory, parentFolder });
    // Neither of them is ours: one has no lock and something we never make, the other is only named alike.
    const foreign = ['throw-away-server-abc123', 'throw-away-server-mine'].map((name) => join(parentFolder, name));
    for (const folder of foreign) await mkdir(folder);
    await writeFile(join(foreign[0]!, 'thesis.txt'), 'dear');
    const young = join(parentFolder, 'throw-away-server-young1');
    await mkdir(young);
    const old = join(parentFolder, 'throw-away-server-empty1');
    await mkdir(old);
    await utimes(old, 0, 0);

    const { child, lines, exited } = run();
    await lines.next();
    const server = JSON.parse((await lines.next()).value) as ThrowAwayServer;
    const postmaster = await serverPid(server);
    const keeper = Number(/^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${postmaster}/status`, 'utf8'))![1]);
    const sweepers = (await processesWith(`throw-away-sweeper\0${dirname(server.dataDirectory)}`)).map((each) =>
      Number.parseInt(each, 10),
    );
    expect(sweepers).toHaveLength(process.getuid?.() === 0 ? 1 : 0);
    for (const pid of [...sweepers, child.pid!, keeper]) process.kill(pid, 'SIGKILL');
    await exited;
    // Its server ends with its keeper.
    await until(() => !isRunning(postmaster));
    expect(existsSync(server.dataDirectory)).toBe(true);

    const next = await startThrowAwayServer({ binDirectory, parentFolder });
    // A process of the dead server may still hold the lock for a moment.
    let swept = [...next.sweptFolders];
    await next.stop();
    while (swept.length === 0) {
      const again = await startThrowAwayServer({ binDirectory, parentFolder });
      swept = [...again.sweptFolders];
      await again.stop();
    }
    expect(swept).toEqual([dirname(server.dataDirectory)]);
    expect(existsSync(dirname(server.dataDirectory))).toBe(false);
    expect(await ask(alive.connection, 'SELECT 1')).toBe(1);
    await alive.stop();
    expect((await readdir(parentFolder)).sort()).toEqual([...foreign, young].map((folder) => basename(folder)).sort());
    for (const folder of [...foreign, young]) await rm(folder, { recursive: true });
  }, 120_000);

  test.each([0, 300, 900, 1200])(
    'so it does %i ms into the start',
    async (delay) => {
      const { child, lines, exited } = run();
      await lines.next();
      await sleep(delay);
      child.kill('SIGKILL');
      await exited;
      // Killed before anybody could be told of the folder, it leaves one with at most a place for sockets, which a later start sweeps.
      const filled = async (): Promise<string[]> => {
        const names = (await readdir(parentFolder)).filter((name) => name.startsWith('throw-away'));
        const contents = await Promise.all(names.map((name) => readdir(join(parentFolder, name)).catch(() => [])));
        return contents.flat().filter((name) => name !== 'socket');
      };
      while ((await filled()).length > 0) await sleep(50);
    },
    120_000,
  );
});
