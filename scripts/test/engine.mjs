import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { lastLines, run } from '../setup/command.mjs';
import { REPOSITORY } from './program.mjs';

const ENGINE = `${REPOSITORY}test/support/docker-engine.sh`;
const IMAGES = `${REPOSITORY}test/support/docker-images.sh`;
const IMAGE = 'db-backup:test';
const SERVERS = ['postgres:15', 'postgres:17', 'postgres:18'];

/** What containers of our own engine call this machine's loopback. */
const MACHINE = '10.0.2.2';

/** Another run may have the engine of this folder; it is waited for. */
const START_MS = 15 * 60_000;

/**
 * A Docker engine with the images that the tests in containers need, ours among them: the engine that answers, else our own, which
 * ends with `stop` or with this process. Resolves to `{ env, stop }`, `env` being what leads the tests to it, or to `{ why }`
 * when there is no engine. Rejects when the images cannot be made.
 */
export async function startEngine() {
  if (run('docker', ['version']).ok && run('docker', ['compose', 'version']).ok) return withImages({}, async () => {});
  const { ok, output } = run('bash', [ENGINE, 'check']);
  if (!ok) return { why: output };
  const engine = spawn('bash', [ENGINE, 'run'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const said = [];
  engine.stderr.on('data', (text) => said.push(text));
  engine.stdin.on('error', () => {});
  const ended = once(engine, 'close');
  const late = new Promise((resolve) => setTimeout(resolve, START_MS).unref());
  const ready = await Promise.race([once(engine.stdout, 'data'), ended.then(() => undefined), late]);
  const stop = async () => {
    engine.stdin.end();
    await ended;
  };
  if (ready === undefined) {
    engine.kill('SIGKILL');
    throw new Error(`the Docker engine did not start: ${Buffer.concat(said)}`);
  }
  const lines = run('bash', [ENGINE, 'environment']).output.split('\n');
  const env = Object.fromEntries(lines.map((line) => line.match(/^(\w+)=(.*)$/).slice(1)));
  return withImages({ ...env, DB_BACKUP_TEST_HOST: MACHINE }, stop);
}

async function withImages(env, stop) {
  try {
    return { env: { ...env, ...(await makeImages(env)) }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where no registry answers, the base images are made of Debian's packages, and so PostgreSQL's come from Debian, too. */
async function makeImages(env) {
  const node = (await readFile(`${REPOSITORY}Dockerfile`, 'utf8')).match(/^ARG NODE_VERSION=(.*)$/m)[1];
  const started = Date.now();
  const base = (await step(env, 'base', 'bash', [IMAGES, 'base', node])).trim();
  const [suite, packages] = base.split('\n').at(-1).split(' ');
  await step(env, 'servers', 'bash', [IMAGES, ...SERVERS]);
  const args = { DEBIAN_SUITE: suite, PG_PACKAGES: packages };
  const flags = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  await step(env, 'image', 'sh', [`${REPOSITORY}scripts/build-image.sh`, IMAGE, '--progress=plain', ...flags]);
  console.log(
    `      image ${IMAGE} (Debian ${suite}, PostgreSQL from ${packages}) in ${Math.round((Date.now() - started) / 1000)} s`,
  );
  return { DB_BACKUP_TEST_IMAGE: IMAGE };
}

/** Runs a program to its end, with a log of its own. Resolves to what it wrote to standard output. */
async function step(env, name, program, args) {
  await mkdir(`${REPOSITORY}.cache/test`, { recursive: true });
  const path = `${REPOSITORY}.cache/test/container-${name}.log`;
  const log = createWriteStream(path);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text));
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => log.write(text));
  const [status] = await once(child, 'close');
  await new Promise((resolve) => log.end(resolve));
  if (status === 0) return out;
  throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${lastLines(await readFile(path, 'utf8'), 40)}`);
}
