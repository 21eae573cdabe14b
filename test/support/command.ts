import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ConnectionOptions } from '../../src/postgres/connection.ts';
import { BARE_ENVIRONMENT } from './environment.ts';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The file that `backup-manager` is. */
export const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** Runs `backup-manager` as a process of its own, with nothing in its environment but `env`. */
export async function backupManager(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...BARE_ENVIRONMENT, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout, stderr };
}

/** The settings that lead to a database. */
export function sourceSettings(connection: ConnectionOptions): Record<string, string> {
  const { host, port, user, database, password } = connection;
  return {
    POSTGRES_HOST: host,
    POSTGRES_PORT: String(port),
    POSTGRES_USER: user,
    POSTGRES_DB: database,
    ...(password !== undefined && { POSTGRES_PASSWORD: password }),
  };
}
