import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from './connection.ts';
import { LOCALE_PROGRAM, localeEnvironment, localeFiles, planLocales } from './locales.ts';
import { PRIVATE_HBA, SOCKET_FOLDER_MAX } from './private-server.ts';
import { awaitRecovery } from './recovery-end.ts';
import { serverAccount, type Account } from './server-account.ts';
import { HBA_FILE, keepServer, type Keeper } from './server-keeper.ts';
import { FOLDER_PREFIX, sweepLeftovers } from './server-leftovers.ts';
import { accountFiles, findAccountNaming } from './unknown-account.ts';

export interface ThrowAwayServerOptions {
  /** Holds `initdb` and `postgres` of the wanted version. */
  readonly binDirectory: string;
  /** Where the server's folder is made; the system's temporary folder by default. */
  readonly parentFolder?: string;
  /** Name of the superuser; by default a random one, which no restored role can collide with. */
  readonly user?: string;
  /** Added to postgresql.conf; they win over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Added to those of initdb; they win over the defaults (UTF8, C.UTF-8). */
  readonly initdbArgs?: readonly string[];
  /** Listen on 127.0.0.1 as well, where a password is needed: see {@link ThrowAwayServer.loopback}. */
  readonly listenOnLoopback?: boolean;
  /** libc locales that are compiled for this server alone; name all that it will use. Throws LOCALE_MISSING. */
  readonly locales?: readonly string[];
  /**
   * Makes the data directory, instead of initdb: one that recovers and opens itself. `user` is then a role that it has. The server takes no
   * configuration from it but `postgresql.auto.conf`, and is waited for without a limit. Returns settings that it needs besides.
   */
  readonly fill?: (dataDirectory: string) => Promise<Readonly<Record<string, string>>>;
  readonly startTimeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

/** A private PostgreSQL that keeps nothing. */
export interface ThrowAwayServer {
  /** The superuser on database `postgres`, through a Unix socket that only our account reaches. */
  readonly connection: ConnectionOptions;
  /** The same over TCP, with a password; only with `listenOnLoopback`. */
  readonly loopback?: ConnectionOptions;
  readonly dataDirectory: string;
  readonly logFile: string;
  /** Makes a folder that the server may write to, below its own. */
  makeFolder(name: string): Promise<string>;
  /** Folders of servers that were killed together with their keepers, removed at the start. */
  readonly sweptFolders: readonly string[];
  /** Ends the server in order; its files stay until {@link stop}. */
  shutDown(signal?: AbortSignal): Promise<void>;
  /** Ends the server at once and removes its folder. May be called more than once. */
  stop(): Promise<void>;
  /** The same as by a crash: SIGKILL, nothing told to clients. */
  kill(): Promise<void>;
}

/** Nothing that such a server holds is worth an fsync. Sizes are for loading a dump fast, not for keeping memory. */
const SETTINGS = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  logging_collector: 'off',
  unix_socket_permissions: '0700',
} as const;

/** Of a copy of another server: it keeps to itself, and takes whatever transactions were prepared there. */
const RECOVERING = {
  ...{ hot_standby: 'off', archive_mode: 'off', max_logical_replication_workers: '0', lc_messages: 'C' },
  max_prepared_transactions: '1000',
} as const;

/**
 * Makes and starts a private server: a new cluster in a folder of its own, durability off, reached through a Unix socket.
 * Whatever becomes of our process, SIGKILL included, the server ends and its folder goes. As root, it runs as an
 * unprivileged account. Throws SERVER_START_FAILED with the last lines of its log.
 */
export async function startThrowAwayServer(options: ThrowAwayServerOptions): Promise<ThrowAwayServer> {
  options.signal?.throwIfAborted();
  const account = await serverAccount();
  const preload = account === undefined ? await findAccountNaming() : undefined;
  const locales = await planLocales(options.locales ?? []);
  const port = options.listenOnLoopback === true ? await freePort() : 5432;
  const user = options.user ?? `throw_away_${randomBytes(6).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const parentFolder = options.parentFolder ?? tmpdir();

  const folder = await mkdtemp(join(parentFolder, FOLDER_PREFIX));
  const socketFolder = await makeSocketFolder(folder);
  if (account !== undefined) for (const path of [folder, socketFolder]) await chown(path, account.uid, account.gid);
  const naming = preload === undefined ? undefined : accountFiles(folder);
  const keeper = keepServer({
    binDirectory: options.binDirectory,
    folder,
    socketFolder,
    account,
    initdbArgs: [
      ...['-U', user, '--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${join(folder, 'password')}`],
      ...['--no-sync', '-E', 'UTF8', '--locale=C.UTF-8', ...(options.initdbArgs ?? [])],
    ],
    env: { ...naming?.env, ...(locales.length > 0 && localeEnvironment(folder)) },
    ...(preload !== undefined && { preload }),
  });
  let sweptFolders: readonly string[];
  try {
    sweptFolders = await sweepLeftovers(parentFolder, folder, account);
    const files = { password: `${password}\n`, settings: settingsFile(options, socketFolder, port), ...naming?.files };
    const more = { ...(options.fill && { [HBA_FILE]: PRIVATE_HBA }), ...(locales.length > 0 && localeFiles(folder, locales)) };
    await writeFiles(folder, { ...files, ...more }, account);
    const dataDirectory = join(folder, 'data');
    if (options.fill) {
      const settings = { ...options.settings, ...(await options.fill(dataDirectory)) };
      await writeFiles(folder, { settings: settingsFile({ ...options, settings }, socketFolder, port) }, account);
    }
    keeper.go();
    if (options.fill) {
      const recovering = { dataDirectory, logFile: join(folder, 'server.log'), isGone: () => keeper.serverGone() };
      await awaitRecovery(recovering, options.signal ?? new AbortController().signal);
    } else await waitUntilReady(keeper, folder, options);
  } catch (error) {
    await keeper.end('QUIT');
    throw error;
  }

  const connection: ConnectionOptions = {
    host: socketFolder,
    port,
    database: 'postgres',
    user,
    tls: { mode: 'disable' },
    connectTimeoutSeconds: 30,
  };
  return {
    connection,
    ...(options.listenOnLoopback === true && { loopback: { ...connection, host: '127.0.0.1', password } }),
    dataDirectory: join(folder, 'data'),
    logFile: join(folder, 'server.log'),
    makeFolder: async (name) => {
      const path = join(folder, name);
      await mkdir(path, { mode: 0o700 });
      if (account !== undefined) await chown(path, account.uid, account.gid);
      return path;
    },
    sweptFolders,
    shutDown: async (signal) => {
      const [pid] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8')).split('\n');
      process.kill(Number(pid), 'SIGINT');
      while (!keeper.serverGone()) await sleep(20, undefined, { signal });
    },
    stop: () => keeper.end('QUIT'),
    kill: () => keeper.end('KILL'),
  };
}

async function writeFiles(folder: string, files: Record<string, string>, account: Account | undefined): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(folder, name), text, { mode: name === LOCALE_PROGRAM ? 0o700 : 0o600 });
    if (account !== undefined) await chown(join(folder, name), account.uid, account.gid);
  }
}

/** The server writes `ready` into the last line of its lock file when it accepts connections. */
async function waitUntilReady(keeper: Keeper, folder: string, options: ThrowAwayServerOptions): Promise<void> {
  const timeout = AbortSignal.timeout((options.startTimeoutSeconds ?? 120) * 1000);
  for (;;) {
    const lock = await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
    if (lock.split('\n')[7]?.startsWith('ready') === true) return;
    options.signal?.throwIfAborted();
    if (keeper.serverGone() || timeout.aborted) {
      const log = await readFile(join(folder, 'server.log'), 'utf8').catch(() => undefined);
      if (log === undefined && keeper.serverGone()) {
        throw new BackupError('SERVER_START_FAILED', `the folder ${folder} of a throw-away PostgreSQL could not be locked`, {
          hint: 'The program flock must be installed (package util-linux), and the file system must have locks and space left.',
        });
      }
      const tail = (log ?? '').trimEnd().split('\n').slice(-12).join('\n');
      const what = keeper.serverGone() ? 'did not start' : 'did not get ready in time';
      throw new BackupError('SERVER_START_FAILED', `a throw-away PostgreSQL from ${options.binDirectory} ${what}: ${tail}`, {
        hint: `The account that runs it must be able to enter ${folder} and ${options.binDirectory}, and there must be space left.`,
      });
    }
    await sleep(20);
  }
}

function settingsFile({ settings, listenOnLoopback, fill }: ThrowAwayServerOptions, socketFolder: string, port: number): string {
  const all: Record<string, string> = {
    ...SETTINGS,
    ...(fill && RECOVERING),
    port: String(port),
    listen_addresses: listenOnLoopback === true ? '127.0.0.1' : '',
    unix_socket_directories: `"${socketFolder}"`,
    ...settings,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'\n`)
    .join('');
}

async function makeSocketFolder(folder: string): Promise<string> {
  const inside = join(folder, 'socket');
  if (Buffer.byteLength(inside) > SOCKET_FOLDER_MAX) return await mkdtemp('/tmp/throw-away-socket-');
  await mkdir(inside, { mode: 0o700 });
  return inside;
}

/** A port that was free a moment ago: nobody can promise more. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new BackupError('SERVER_START_FAILED', 'no free port on 127.0.0.1');
  return address.port;
}
