import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { serverAccount } from '../../src/postgres/server-account.ts';

export interface ServerOn {
  /** What the server wrote to its log so far. */
  readonly log: () => string;
  /** One row of one query, once the server has ended its recovery. */
  row(sql: string): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

/** A server on a data directory that is there already, reached as `connection` but for its socket. */
export async function startServerOn(data: string, binDirectory: string, connection: ConnectionOptions): Promise<ServerOn> {
  const account = await serverAccount();
  const socket = await mkdtemp(join(tmpdir(), 'server-on-'));
  if (account) await chown(socket, account.uid, account.gid);
  await chmod(join(data, '..'), 0o755);
  const settings = { unix_socket_directories: socket, listen_addresses: '', hot_standby: 'off' };
  const server = spawn(
    '/usr/bin/setpriv',
    [
      ...['--pdeathsig', 'KILL', join(binDirectory, 'postgres'), '-D', data],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/', ...(account && { uid: account.uid, gid: account.gid }) },
  );
  const exited = once(server, 'exit');
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const at = { ...connection, host: socket };
  return {
    log: () => log,
    async row(sql) {
      for (;;) {
        const found = await withClient(at, async (client) => {
          const { rows } = await client.query<Record<string, unknown>>(sql);
          return rows[0]!;
        }).catch(() => undefined); // it still recovers
        if (found) return found;
        if (server.exitCode !== null) throw new Error(`the server ended: ${log}`);
        await sleep(50);
      }
    },
    async stop() {
      server.kill('SIGQUIT');
      await exited;
      await rm(socket, { recursive: true, force: true });
    },
  };
}
