import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { libpqEnvironment, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { serverAccount } from '../../src/postgres/server-account.ts';
import type { TestServer } from './dump-to-file.ts';

export interface Standby {
  readonly connection: ConnectionOptions;
  /** Resolves when the standby has replayed everything that the primary has written. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

/** A hot standby of `primary`, by pg_basebackup and streaming replication. */
export async function startStandby(primary: TestServer, settings: Readonly<Record<string, string>>): Promise<Standby> {
  const account = await serverAccount();
  const folder = await mkdtemp(join(tmpdir(), 'standby-'));
  const socketFolder = join(folder, 's');
  await mkdir(socketFolder);
  for (const path of [folder, socketFolder]) if (account) await chown(path, account.uid, account.gid);
  const run = { ...(account ? { uid: account.uid, gid: account.gid } : {}), cwd: folder };
  const bin = primary.programs.directory;
  const data = join(folder, 'data');
  await promisify(execFile)(join(bin, 'pg_basebackup'), ['-D', data, '-R', '-X', 'stream', '-c', 'fast'], {
    ...run,
    env: libpqEnvironment(primary.connection),
  });
  const lines = Object.entries({ unix_socket_directories: socketFolder, listen_addresses: '', hot_standby: 'on', ...settings });
  await appendFile(join(data, 'postgresql.conf'), lines.map(([name, value]) => `\n${name} = '${value}'`).join(''));
  const server = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', join(bin, 'postgres'), '-D', data], {
    ...run,
    stdio: 'ignore',
  });
  const exited = once(server, 'exit');
  const connection = { ...primary.connection, host: socketFolder };

  const position = async (): Promise<string> => {
    const [row] = await primary.sql('postgres', 'SELECT pg_current_wal_lsn()::text AS lsn');
    return row!['lsn'] as string;
  };
  const standby: Standby = {
    connection,
    async caughtUp() {
      const lsn = await position();
      for (;;) {
        const replayed = await withClient(connection, async (client) => {
          const { rows } = await client.query<{ done: boolean }>('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done', [lsn]);
          return rows[0]!.done;
        }).catch(() => false); // still starting
        if (replayed) return;
        if (server.exitCode !== null) throw new Error('the standby ended');
        await sleep(50);
      }
    },
    async stop() {
      server.kill('SIGQUIT');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
  await standby.caughtUp();
  return standby;
}
