import { execFile, type ExecFileException } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe } from '@jest/globals';
import type { Ended } from './command.ts';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
export const MANAGER = join(REPOSITORY, 'scripts/backup-manager.sh');

/** The image under test; `npm run test:container` builds it and leads docker's programs to an engine. */
export const IMAGE = process.env['DB_BACKUP_TEST_IMAGE'] ?? '';

/** A group of tests that need the engine; says why it is skipped where there is none. */
export const describeWithEngine: typeof describe.skip = IMAGE === '' ? describe.skip : describe;
if (IMAGE === '') {
  const why = process.env['DB_BACKUP_TEST_NO_ENGINE'] ?? 'they are started by `npm run test:container`';
  console.warn(`not run: tests in containers: ${why}`);
}

/** Runs a program with nothing on its standard input. */
export function run(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { cwd: options.cwd ?? REPOSITORY, env: { ...process.env, ...options.env }, maxBuffer: 64 * 1024 * 1024 },
      (error: ExecFileException | null, stdout, stderr) => {
        resolve({ status: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

/** Like {@link run}, and throws unless the program ends with 0. Resolves to its standard output, without the last line end. */
export async function succeed(
  file: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(file, args, options);
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`);
  return stdout.trimEnd();
}

/** Waits until `condition` resolves to something. Throws with what `describe` says when that takes far too long. */
export async function until<T>(
  condition: () => Promise<T | undefined | false>,
  describe: () => Promise<string>,
  seconds = 180,
): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited in vain:\n${await describe()}`);
    await sleep(300);
  }
}

export interface Project {
  readonly name: string;
  readonly env: Record<string, string>;
  /** A folder for files of this project; it goes with it. */
  readonly folder: string;
  /** `docker compose ARGS` on the project; throws unless it ends with 0. */
  compose(...args: string[]): Promise<string>;
  /** `scripts/backup-manager.sh ARGS`, from a folder that is not the project's. */
  manage(...args: string[]): Promise<Ended>;
  /** A command in the running service. */
  exec(service: string, ...command: string[]): Promise<Ended>;
  /** One field of `docker inspect` of the service's container. */
  inspect(service: string, format: string): Promise<string>;
  readonly logs: () => Promise<string>;
  /** Waits for the health of the daemon, whatever it is: `healthy` or `unhealthy`. */
  health(wanted: string): Promise<void>;
}

const FILES = 'docker-compose.backup.yml';
export const PASSWORD = 'correct horse battery staple';

/**
 * Runs `body` with a compose project of the shipped file under a name of its own, the sample database among it. Everything of it
 * goes afterwards. `settings` are what a user would put into `.env`.
 */
export async function withProject(settings: Record<string, string>, body: (project: Project) => Promise<void>): Promise<void> {
  const project = await openProject(settings);
  try {
    await body(project);
  } finally {
    await project.close();
  }
}

export async function openProject(settings: Record<string, string> = {}): Promise<Project & { close(): Promise<void> }> {
  const name = `dbbt-${randomBytes(4).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), `${name}-`));
  const secret = join(folder, 'password');
  await writeFile(secret, `${PASSWORD}\n`);
  const env: Record<string, string> = {
    COMPOSE_PROJECT_NAME: name,
    COMPOSE_FILE: FILES,
    COMPOSE_PROFILES: 'backup,demo',
    BACKUP_IMAGE: IMAGE,
    POSTGRES_PASSWORD_FILE: secret,
    POSTGRES_DB: 'modulodb',
    ...settings,
  };
  const compose = (...args: string[]) => succeed('docker', ['compose', ...args], { env });
  const inspect = async (service: string, format: string) =>
    succeed('docker', ['inspect', '--format', format, await compose('ps', '--all', '--quiet', service)]);
  const logs = () => compose('logs', '--no-color');
  const state = () => inspect('db-backup', '{{.State.Health.Status}}');
  return {
    name,
    env,
    folder,
    compose,
    inspect,
    logs,
    manage: (...args) => run(MANAGER, args, { env, cwd: tmpdir() }),
    exec: (service, ...command) => run('docker', ['compose', 'exec', '-T', service, ...command], { env }),
    health: async (wanted) => {
      const checks = () => inspect('db-backup', '{{json .State.Health}}');
      await until(
        async () => (await state()) === wanted,
        async () => `${await checks()}\n${await logs()}`,
      );
    },
    async close() {
      await run(
        'docker',
        ['compose', '--profile', 'backup', '--profile', 'demo', 'down', '--volumes', '--timeout', '0', '--remove-orphans'],
        { env },
      );
      await rm(folder, { recursive: true, force: true });
    },
  };
}
