import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConnectionOptions } from '../../src/postgres/connection.ts';
import { serverAccount } from '../../src/postgres/server-account.ts';

const pgbouncerProgram = '/usr/sbin/pgbouncer';

/** Whether the connection pooler is installed (Debian package `pgbouncer`). */
export function hasPgbouncer(): boolean {
  return existsSync(pgbouncerProgram);
}

/** Runs `use` with a connection that goes through a real pgbouncer in front of `server`. */
export async function withPgbouncer(
  server: ConnectionOptions,
  settings: Readonly<Record<string, string>>,
  use: (pooled: ConnectionOptions) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pgbouncer-'));
  const file = join(folder, 'pgbouncer.ini');
  const all = { auth_type: 'any', unix_socket_dir: folder, listen_port: '6432', max_client_conn: '50', ...settings };
  const login = `user=${server.user}`;
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${server.host} port=${server.port} ${login}`,
      '[pgbouncer]',
      ...Object.entries(all).map(([name, value]) => `${name} = ${value}`),
      '',
    ].join('\n'),
  );
  const account = await serverAccount();
  if (account !== undefined) for (const path of [folder, file]) await chown(path, account.uid, account.gid);
  const log: Buffer[] = [];
  const child = spawn(pgbouncerProgram, [file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    while (!existsSync(join(folder, '.s.PGSQL.6432'))) {
      if (child.exitCode !== null) throw new Error(`pgbouncer ended: ${Buffer.concat(log).toString()}`);
      await sleep(20);
    }
    await use({ ...server, host: folder, port: 6432, connectTimeoutSeconds: 5 });
  } finally {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  }
}
