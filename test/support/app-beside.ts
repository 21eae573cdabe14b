import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ended } from './command.ts';
import { IMAGE, PASSWORD, REPOSITORY, run, succeed } from './compose.ts';

/** An application's folder with a compose file of its own, and ours beside it, as a user sets it up. */
export interface App {
  readonly folder: string;
  readonly name: string;
  /** Runs commands of a document in the folder. */
  shell(code: string): Promise<Ended>;
  compose(...args: string[]): Promise<string>;
  /** What a query gives, without decoration. */
  query(sql: string, database?: string, service?: string): Promise<string>;
  /** Removes containers, volumes and folder. */
  close(): Promise<void>;
}

const server = (image: string, volume: string) => `
    image: ${image}
    environment: { POSTGRES_DB: modulodb, POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password }
    secrets: [postgres_password]
    volumes: ['${volume}:/var/lib/postgresql']
    healthcheck: { test: [CMD, pg_isready, -q, -h, 127.0.0.1, -U, postgres], interval: 10s, start_period: 60s, start_interval: 1s }`;

export async function openApp(settings: Record<string, string>, major = 18): Promise<App> {
  const name = `dbbt-${randomBytes(4).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  await mkdir(join(folder, 'scripts'));
  await copyFile(join(REPOSITORY, 'scripts/backup-manager.sh'), join(folder, 'scripts/backup-manager.sh'));
  await copyFile(join(REPOSITORY, 'docker-compose.backup.yml'), join(folder, 'docker-compose.backup.yml'));
  await writeFile(
    join(folder, 'docker-compose.yml'),
    `services:
  db:${server(`postgres:${major}`, 'db-data')}
  db-new:${server('postgres:18', 'db-new-data')}
    profiles: [new]
volumes: { db-data: , db-new-data: }
`,
  );
  await writeFile(join(folder, 'password'), `${PASSWORD}\n`);
  const all = {
    COMPOSE_FILE: 'docker-compose.yml:docker-compose.backup.yml',
    COMPOSE_PROJECT_NAME: name,
    COMPOSE_PROFILES: 'backup',
    BACKUP_IMAGE: IMAGE,
    POSTGRES_PASSWORD_FILE: './password',
    POSTGRES_DB: 'modulodb',
    ...settings,
  };
  await writeFile(
    join(folder, '.env'),
    Object.entries(all)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const compose = (...args: string[]) => succeed('docker', ['compose', ...args], { cwd: folder });
  return {
    folder,
    name,
    compose,
    shell: (code) => run('sh', ['-euc', code], { cwd: folder, env: { BACKUP_IMAGE: IMAGE } }),
    query: (sql, database = 'modulodb', service = 'db') =>
      compose('exec', '-T', service, 'psql', '-qAtXU', 'postgres', '-v', 'ON_ERROR_STOP=1', '-d', database, '-c', sql),
    async close() {
      await run('docker', ['compose', '--profile', 'backup', '--profile', 'new', 'down', '--volumes', '--timeout', '0'], {
        cwd: folder,
      });
      await run('docker', ['volume', 'rm', `${name}_moved`]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
