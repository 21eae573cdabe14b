import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from './connection.ts';
import { awaitRecovery, readReached, type Reached } from './recovery-end.ts';
import { serverAccount } from './server-account.ts';
import { PRIVATE_HBA, privateSettings, SOCKET_FOLDER_MAX } from './private-server.ts';

export interface StartRecoveredOptions {
  /** Ready to be recovered, and the server account's. */
  readonly dataDirectory: string;
  readonly binDirectory: string;
  /** Role and database by which the server is asked; the rest is ours. */
  readonly connection: ConnectionOptions;
  readonly pause: boolean;
  readonly signal: AbortSignal;
}

export interface StartedServer {
  readonly state: 'open' | 'paused';
  /** Absent when the server could not be asked; `unknown` says why. */
  readonly reached?: Reached;
  readonly unknown?: string;
  /** Through a Unix socket that only the server's account, and root, reach; without a password. */
  readonly connection: ConnectionOptions;
  readonly logFile: string;
  readonly pid: number;
}

const PORT = 5432;

/**
 * Starts a server on a data directory that recovers to a target, and waits until it has. It listens on a private socket, archives nothing and
 * connects to nobody; it goes on when we end. When it does not get there it has ended, and the directory stays as it is.
 */
export async function startRecovered(options: StartRecoveredOptions): Promise<StartedServer> {
  const { dataDirectory, binDirectory, pause, signal } = options;
  const account = await serverAccount();
  const socket = Buffer.byteLength(dataDirectory) > SOCKET_FOLDER_MAX ? await mkdtemp('/tmp/recovered-socket-') : dataDirectory;
  const hba = join(dataDirectory, 'recovery_hba.conf');
  const logFile = join(dataDirectory, 'recovery.log');
  await writeFile(hba, PRIVATE_HBA, { mode: 0o600 });
  const log = await open(logFile, 'a', 0o600);
  if (account)
    for (const path of [hba, logFile, ...(socket === dataDirectory ? [] : [socket])]) await chown(path, account.uid, account.gid);
  let child: ChildProcess;
  try {
    const settings = {
      ...privateSettings(socket, PORT),
      ...{ data_directory: dataDirectory, hba_file: hba, hot_standby: pause ? 'on' : 'off' },
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    child = spawn(join(binDirectory, 'postgres'), ['-D', dataDirectory, ...args], {
      // It stays: Ctrl-C in our terminal is not for it.
      detached: true,
      cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['ignore', log.fd, log.fd],
      ...(account && { uid: account.uid, gid: account.gid }),
    });
    await once(child, 'spawn');
  } catch (cause) {
    throw new BackupError('SERVER_START_FAILED', `cannot start postgres in ${binDirectory}: ${(cause as Error).message}`, {
      cause,
    });
  } finally {
    await log.close();
  }
  child.unref();
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null;
  let state: 'open' | 'paused';
  try {
    state = await awaitRecovery({ dataDirectory, logFile, isGone }, signal);
  } catch (error) {
    if (!isGone()) {
      const exited = once(child, 'exit');
      child.ref();
      child.kill('SIGINT');
      await exited;
    }
    throw error;
  }
  const connection: ConnectionOptions = {
    ...{ host: socket, port: PORT, user: options.connection.user, database: options.connection.database },
    ...{ tls: { mode: 'disable' }, connectTimeoutSeconds: 30 },
  };
  const asked = await readReached(connection).then(
    (reached) => ({ reached }),
    (error: unknown) => ({ unknown: (error as Error).message }),
  );
  return { state, ...asked, connection, logFile, pid: child.pid! };
}
