import { createHmac } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withClient } from '../../src/postgres/connection.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { CLI, sourceSettings } from '../support/command.ts';
import { blocksOf, ROOT, runShell } from '../support/documents.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

const { binDirectory } = installedVersions().find(({ major }) => major >= 15)!;
const BUCKET = 'my-backups';

let server: ThrowAwayServer;
let s3: S3Server | undefined;
let folder: string;
let env: Record<string, string>;
let label: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'documents-test-'));
  for (const name of ['backups', 'secrets', 'tmp', 'bin']) await mkdir(join(folder, name));
  [server, s3] = await Promise.all([startThrowAwayServer({ binDirectory }), startS3Server()]);
  if (!s3) console.warn('not run: what the documents say of S3; the reason stands above');
  await s3?.createBucket(BUCKET);
  await query('postgres', 'CREATE DATABASE shop');
  await query(
    'shop',
    `CREATE ROLE app; CREATE SCHEMA sales; CREATE TABLE sales.visits (id serial PRIMARY KEY);
     CREATE TABLE orders (id int PRIMARY KEY, total numeric);
     CREATE TABLE lines (order_id int REFERENCES orders, price numeric);
     INSERT INTO orders SELECT i, 2 * i FROM generate_series(1, 100) i;
     INSERT INTO lines SELECT i, i FROM generate_series(1, 100) i, generate_series(1, 2);`,
  );
  await writeFile(join(folder, 'secrets', 'backup'), 'not asked for on a socket');
  // What the documents call `backup-manager` is this clone.
  await writeFile(join(folder, 'bin', 'backup-manager'), `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`);
  await chmod(join(folder, 'bin', 'backup-manager'), 0o755);
  env = {
    ...BARE_ENVIRONMENT,
    PATH: [join(folder, 'bin'), binDirectory, join(ROOT, 'node_modules/.bin'), '/usr/local/bin:/usr/bin:/bin'].join(':'),
    HOME: folder,
    BACKUP_DIR: join(folder, 'backups'),
    BACKUP_PROGRAM_DIRECTORIES: binDirectory,
    ...sourceSettings({ ...server.connection, database: 'shop' }),
    ...{ PGHOST: server.connection.host, PGPORT: String(server.connection.port), PGUSER: server.connection.user },
    ...(s3 && {
      BACKUP_S3_BUCKET: BUCKET,
      BACKUP_S3_ENDPOINT: s3.endpoint,
      BACKUP_S3_PATH_STYLE: 'true',
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    }),
  };
});

afterAll(async () => {
  await Promise.all([server.stop(), s3?.stop()]);
  await rm(folder, { recursive: true });
});

async function query(database: string, sql: string): Promise<Record<string, unknown>[]> {
  return withClient(
    { ...server.connection, database },
    async (client) => (await client.query<Record<string, unknown>>(sql)).rows,
  );
}

/** A block with the places and names of this test in it. */
function here(block: string): string {
  return block
    .replaceAll(/\/(?:run\/)?(backups|secrets|tmp)\b/g, (_, name: string) => join(folder, name))
    .replaceAll('db.example.com', server.connection.host)
    .replaceAll(/backup_shop_2026\d{4}_\d{6}/g, label)
    .replaceAll('eu-central-1', s3?.region ?? '')
    .replaceAll(/^.*(BACKUP_S3_BUCKET|--from s3).*$/gm, (line) => (s3 ? line : ''));
}

/** Runs the blocks of a document one after another, until one fails; what all of them said. */
async function run(document: string, blocks: readonly string[], cwd = folder): Promise<string> {
  let said = '';
  for (const block of blocks) {
    const code = here(block);
    const { status, says } = await runShell(`set -e\n${code}`, { cwd, env });
    said += says;
    if (status !== 0) throw new Error(`${document}: status ${status} of\n${code}\n${says}`);
  }
  return said;
}

/** The labels of the backups here, newest first. */
async function labels(): Promise<string[]> {
  const names = (await readdir(join(folder, 'backups', 'full'))).filter((name) => name.endsWith('.sql.gz'));
  return names.map((name) => name.replace('.sql.gz', '')).sort((a, b) => (a < b ? 1 : -1));
}

describe('The commands of the documents do what is written there', () => {
  test('docs/least-privilege.md', async () => {
    const [usual, before14] = await blocksOf('docs/least-privilege.md', 'sql');
    await query('shop', usual!);
    await query('shop', before14!);
    expect(await query('shop', `SELECT FROM pg_roles WHERE rolname = 'backup'`)).toHaveLength(1);
  });

  test('README.md: the quick start', async () => {
    // The first is this; the next two need a Docker engine (test/container); the last starts the daemon, which has tests of its own.
    const [self, , , quickStart, daemon] = await blocksOf('README.md', 'sh');
    expect([self, daemon]).toEqual(['npm run demo\nnpm test\n', 'npm ci && npm run build && npm start\n']);
    await query('postgres', 'ALTER ROLE backup SUPERUSER');
    const port = `export POSTGRES_PORT=${server.connection.port}\n`;
    const said = await run('README.md', [port + quickStart!], ROOT);
    expect(said).toMatch(
      /is stored\.[^]*complete[^]*passed[^]*is restored into database "shop_restored"[^]*Success: the backup restores/,
    );
    label = (await labels())[0]!;
  });

  test('docs/cli.md', async () => {
    const said = await run('docs/cli.md', await blocksOf('docs/cli.md', 'sh'));
    expect(said).toContain('All is well.');
    expect(await labels()).toHaveLength(3);
  });

  test('docs/restore.md', async () => {
    await query('shop', 'DELETE FROM lines WHERE order_id = 7; DELETE FROM orders WHERE id = 7');
    await query('postgres', 'DROP DATABASE shop_restored');
    const said = await run('docs/restore.md', await blocksOf('docs/restore.md', 'sh'));
    expect(said).toMatch(/\n +7 \| +14\n\(1 row\)/);
    for (const database of ['shop_staging', 'shop_in_january', 'shop_by_hand', 'shop_from_a_dump'])
      expect(await query(database, 'SELECT count(*)::int AS n FROM lines')).toMatchObject([{ n: expect.any(Number) }]);
  });

  test('docs/backup-format.md', async () => {
    const said = await run('docs/backup-format.md', await blocksOf('docs/backup-format.md', 'sh'));
    expect(said).toMatch(/^-- db-backup begin\n-- db-backup end\n[^]* TABLE sales visits [^]*CREATE ROLE[^]*: OK\n$/);
  });

  test('docs/retention.md', async () => {
    const said = await run('docs/retention.md', await blocksOf('docs/retention.md', 'sh'));
    expect(said).toContain(label);
  });

  test('docs/drill.md', async () => {
    const [drills, search] = await blocksOf('docs/drill.md', 'sh');
    await run('docs/drill.md', [drills!]);
    // All were in time, so that the search finds none.
    expect(await runShell(here(search!), { cwd: folder, env })).toEqual({ status: 123, says: '' });
  });

  test('docs/drill-proof.md: the assertion', async () => {
    const [assertion] = await blocksOf('docs/drill-proof.md', 'sql');
    expect(Object.values((await query('shop', assertion!))[0]!)).toEqual([true]);
    await query('shop', 'UPDATE lines SET price = price + 1 WHERE order_id = 1');
    expect(Object.values((await query('shop', assertion!))[0]!)).toEqual([false]);
  });

  test('docs/alerts.md: the signature', async () => {
    const body = '{"alert":"it\'s"}\n';
    await writeFile(join(folder, 'body.json'), body);
    const [check] = await blocksOf('docs/alerts.md', 'sh');
    const { says } = await runShell(check!, { cwd: folder, env: { ...env, TIMESTAMP: '1767225600', SECRET: 'shared' } });
    expect(says.trim()).toBe(createHmac('sha256', 'shared').update(`1767225600.${body}`).digest('hex'));
  });
});

test('No document has commands that no test runs', async () => {
  const here = ['README.md', 'alerts.md', 'backup-format.md', 'cli.md', 'drill.md', 'restore.md', 'retention.md'];
  // evidence-document.test.ts, pitr.test.ts, and test/container.
  const run = [...here, 'evidence.md', 'pitr.md', 'BACKUP_RUNBOOK.md', 'container.md'];
  const documents = ['README.md', ...(await readdir(join(ROOT, 'docs'))).filter((name) => name.endsWith('.md'))];
  const withCommands: string[] = [];
  for (const name of documents) {
    const blocks = await blocksOf(name === 'README.md' ? name : `docs/${name}`, 'sh');
    if (blocks.some((block) => /backup-manager|psql|gunzip|openssl/.test(block))) withCommands.push(name);
  }
  expect(withCommands.sort()).toEqual(run.sort());
});
