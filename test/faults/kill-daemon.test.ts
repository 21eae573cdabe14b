import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { isGood } from '../../src/catalog/backup.ts';
import { listBackups } from '../../src/catalog/catalog.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../../src/postgres/programs.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { verifyBackup } from '../../src/restore/verify.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { createS3Storage } from '../../src/storage/s3.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { backupManager, sourceSettings } from '../support/command.ts';
import { startDaemon, type Daemon } from '../support/daemon.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith, untilNone } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import { quietContext } from '../support/restore-context.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

const SEED = Number(process.env['KILL_SEED'] ?? 20_260_101);
/** A few rounds, or as many as fit into some minutes. */
const ROUNDS = 4;
const MINUTES = Number(process.env['KILL_MINUTES'] ?? 0);
const BUCKET = 'killed';
const NEVER = '0 0 1 1 *';

let server: ThrowAwayServer;
let programs: ClientPrograms;
let s3: S3Server | undefined;
let folder: string;
let targets: Storage[];
let env: Record<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kill-daemon-'));
  const { major, binDirectory } = installedVersions().at(-1)!;
  programs = await findPrograms({ serverMajor: major, directories: [binDirectory] });
  server = await startThrowAwayServer({ binDirectory });
  await withClient(server.connection, async (client) => {
    await client.query(
      `CREATE TABLE big AS SELECT i, gen_random_uuid() AS a, gen_random_uuid() AS b FROM generate_series(1, 40000) i`,
    );
    await client.query('CREATE TABLE busy AS SELECT i, now() AS at FROM generate_series(1, 500) i');
  });
  s3 = await startS3Server();
  await s3?.createBucket(BUCKET);
  targets = [
    createDiskStorage({ name: 'local', root: folder }),
    ...(s3 ? [createS3Storage({ name: 's3', bucket: BUCKET, prefix: 'database-backups', ...s3 })] : []),
  ];
  env = {
    ...{
      ...sourceSettings(server.connection),
      BACKUP_DIR: folder,
      BACKUP_PROGRAM_DIRECTORIES: binDirectory,
      BACKUP_WORKERS: '2',
    },
    // One after the other: whenever it dies, something is going on.
    ...{ BACKUP_SCHEDULE: '* * * * * *', BACKUP_HEALTH_SCHEDULE: '*/5 * * * * *', CLEANUP_SCHEDULE: '*/7 * * * * *' },
    ...{ DRILL_SCHEDULE: NEVER, BACKUP_STAGGER_SECONDS: '0', RETENTION_DAYS: '1', RETENTION_MINIMUM: '3' },
    ...(s3 && {
      ...{ BACKUP_S3_BUCKET: BUCKET, BACKUP_S3_ENDPOINT: s3.endpoint, AWS_REGION: s3.region },
      ...{ AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey },
    }),
  };
});

afterAll(async () => {
  await server.stop();
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function good(): Promise<string[]> {
  return (await listBackups(targets)).backups.filter(isGood).map(({ label }) => label);
}

/** Of dumps; what else was being written is swept when it is a day old. */
async function leftovers(): Promise<string[]> {
  const names = (await readdir(join(folder, 'full'))).filter((name) => name.endsWith('.partial'));
  if (!s3) return names;
  const client = s3.client();
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    return [...names, ...Uploads.map(({ Key }) => `incomplete upload of ${Key ?? ''}`)];
  } finally {
    client.destroy();
  }
}

/** Our sessions on the server, apart from those of this test. */
async function sessions(): Promise<unknown[]> {
  return await withClient(server.connection, async (client) => {
    const { rows } = await client.query(
      `SELECT pid, application_name, query FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'load'`,
    );
    return rows;
  });
}

/** The server itself and what keeps it have its folder in their arguments, too. */
async function programsOfOurs(): Promise<string[]> {
  return (await processesWith(folder)).filter((line) => /pg_dump|^\d+: flock|src\/main/.test(line));
}

async function dies(daemon: Daemon): Promise<void> {
  daemon.process.kill('SIGKILL');
  await daemon.ended;
}

test(`A daemon that dies of SIGKILL again and again under load (seed ${SEED}) loses no good backup, lists none that is not, and leaves nothing`, async () => {
  const random = seededRandom(SEED);
  const until = Date.now() + MINUTES * 60_000;
  const loading = new AbortController();
  const load = withClient(
    server.connection,
    async (client) => {
      // It is written to all the time and does not grow: a backup must be able to come to its end.
      while (!loading.signal.aborted) await client.query('UPDATE busy SET at = now() WHERE i % 10 = 0');
    },
    { applicationName: 'load' },
  );
  const checked = new Set<string>();
  let killed = 0;
  try {
    for (let round = 0; round < ROUNDS || Date.now() < until; round += 1) {
      const before = await good();
      const daemon = startDaemon(env);
      await daemon.logged('scheduled');
      // Every other one has made a backup, which is there to be lost.
      const made = round % 2 === 0 ? String((await daemon.logged(/^backup ended: success/))['label']) : undefined;
      await sleep(random() * (made === undefined ? 4000 : 2000));
      await dies(daemon);
      killed += 1;
      expect({ round, left: await untilNone(programsOfOurs) }).toEqual({ round, left: [] });
      expect({ round, left: await untilNone(sessions) }).toEqual({ round, left: [] });
      const after = await good();
      expect({ round, after }).toEqual({
        round,
        after: expect.arrayContaining([...before, ...(made === undefined ? [] : [made])]),
      });
      await verifyNew(after);
    }
  } finally {
    loading.abort();
    await load;
  }
  const last = startDaemon({ ...env, BACKUP_SCHEDULE: NEVER, CLEANUP_SCHEDULE: NEVER, BACKUP_HEALTH_SCHEDULE: NEVER });
  await last.logged('scheduled');
  last.process.kill('SIGTERM');
  await last.ended;
  expect(await backupManager(['create-backup'], env)).toMatchObject({ status: 0 });
  expect(await leftovers()).toEqual([]);
  expect(await untilNone(sessions)).toEqual([]);
  await verifyNew(await good());
  const verified = await backupManager(['evidence', 'verify', '--json'], env);
  expect(JSON.parse(verified.stdout)).toMatchObject({ breaks: [] });
  expect(checked.size).toBeGreaterThan(killed / 2);
  console.info(`killed ${killed} times; ${checked.size} copies verified`);

  /** Whatever is called good is: each copy is read once. */
  async function verifyNew(labels: readonly string[]): Promise<void> {
    for (const backup of (await listBackups(targets)).backups.filter(({ label }) => labels.includes(label))) {
      for (const { target } of backup.copies.filter(({ state }) => state === 'whole')) {
        const id = `${target} ${backup.label}`;
        if (checked.has(id)) continue;
        const storage = targets.find(({ name }) => name === target)!;
        const result = await verifyBackup({ storage, key: backup.key, programs, temporaryFolder: tmpdir() }, quietContext());
        expect({ id, outcome: result.outcome }).toEqual({ id, outcome: 'passed' });
        checked.add(id);
      }
    }
  }
}, 1_800_000);
