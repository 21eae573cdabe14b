import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isGood } from '../../src/catalog/backup.ts';
import { listBackups, type Listing } from '../../src/catalog/catalog.ts';
import { findSideFilesWithoutDump } from '../../src/catalog/leftovers.ts';
import { withClient } from '../../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../../src/postgres/programs.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { verifyBackup } from '../../src/restore/verify.ts';
import { createDiskStorage } from '../../src/storage/disk.ts';
import { createS3Storage } from '../../src/storage/s3.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { BARE_ENVIRONMENT } from '../support/environment.ts';
import { SEVERAL_PARTS_TEXT } from '../support/mortal-storage.ts';
import { installedVersions } from '../support/postgres-versions.ts';
import { processesWith, untilNone } from '../support/processes.ts';
import { seededRandom } from '../support/random.ts';
import { quietContext } from '../support/restore-context.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

const SCRIPT = fileURLToPath(new URL('../support/mortal-backup.ts', import.meta.url));
const SEED = 20_260_101;
/** The rest of the twenty are drawn among all moments of a whole run. */
const NAMED = [
  'after publish full/', // The dump has its name, the manifest does not exist.
  'before publish full/',
  's3 piece of full/', // In mid-upload, if there is an S3 server.
  's3 before put full/',
  'local before begin full/',
  'phase copies',
  'before write probe',
  'piece of logs/',
] as const;
const RUNS = 20;
const BUCKET = 'killed';

let server: ThrowAwayServer;
let programs: ClientPrograms;
let s3: S3Server | undefined;
let folder: string;
let targets: Storage[];
let moments: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kill-test-'));
  const { major, binDirectory } = installedVersions().at(-1)!;
  programs = await findPrograms({ serverMajor: major, directories: [binDirectory] });
  server = await startThrowAwayServer({ binDirectory });
  // Does not compress well: the upload has several parts.
  await withClient(server.connection, async (client) => {
    await client.query(
      `CREATE TABLE big AS SELECT i, gen_random_uuid() AS a, gen_random_uuid() AS b FROM generate_series(1, 130000) i`,
    );
    await client.query(`CREATE TABLE small AS SELECT i FROM generate_series(1, 100) i`);
    await client.query(`SELECT lo_from_bytea(0, decode(repeat('00ff', 100000), 'hex'))`);
  });
  s3 = await startS3Server();
  await s3?.createBucket(BUCKET);
  targets = [
    createDiskStorage({ name: 'local', root: folder }),
    ...(s3 ? [createS3Storage({ name: 's3', bucket: BUCKET, prefix: 'database-backups', ...s3 })] : []),
  ];
  const whole = await runBackup();
  expect(whole.summary).toMatchObject({ outcome: 'success' });
  moments = whole.moments;
});

afterAll(async () => {
  await server.stop();
  await s3?.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly moments: string[];
  readonly summary?: { outcome: string; targets: { target: string; state: string }[] };
  readonly killed: boolean;
}

async function runBackup(when = ''): Promise<Run> {
  const { host, port, user, database } = server.connection;
  const child = spawn(process.execPath, [SCRIPT, when], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...{ ...BARE_ENVIRONMENT, POSTGRES_HOST: host, POSTGRES_PORT: String(port), POSTGRES_USER: user },
      ...{ POSTGRES_DB: database, BACKUP_DIR: folder, BACKUP_PROGRAM_DIRECTORIES: programs.directory, BACKUP_WORKERS: '2' },
      ...(s3 && {
        ...{ BACKUP_S3_BUCKET: BUCKET, BACKUP_S3_ENDPOINT: s3.endpoint, AWS_REGION: s3.region },
        ...{ AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey },
      }),
    },
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  const lines = text.split('\n').filter((line) => line !== '');
  const last = lines.at(-1) ?? '';
  return last.startsWith('{')
    ? { moments: lines.slice(0, -1), summary: JSON.parse(last), killed: false }
    : { moments: lines, killed: signal === 'SIGKILL' };
}

async function verifyAllGood(listing: Listing, labels: (label: string) => boolean): Promise<void> {
  for (const backup of listing.backups.filter((each) => isGood(each) && labels(each.label))) {
    for (const copy of backup.copies.filter(({ state }) => state === 'whole')) {
      const storage = targets.find(({ name }) => name === copy.target)!;
      const result = await verifyBackup({ storage, key: backup.key, programs, temporaryFolder: tmpdir() }, quietContext());
      expect({ label: backup.label, target: copy.target, outcome: result.outcome }).toMatchObject({ outcome: 'passed' });
    }
  }
}

/** Labels of the dumps that some target has under their final name, with that they are, whatever the listing calls them. */
async function dumpsBy(listing: Listing): Promise<string[]> {
  return listing.backups.flatMap(({ key, copies }) =>
    copies.filter(({ bytes }) => bytes !== undefined).map(({ target, bytes }) => `${target} ${key} ${bytes}`),
  );
}

async function backends(): Promise<unknown[]> {
  return withClient(
    server.connection,
    async (client) =>
      (
        await client.query(
          `SELECT pid, application_name, query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
        )
      ).rows,
  );
}

async function leftovers(): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.partial'));
  const sides = (await findSideFilesWithoutDump(targets)).map(({ target, key }) => `${target} ${key}`);
  if (!s3) return [...names, ...sides];
  const client = s3.client();
  try {
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
    return [...names, ...sides, ...Uploads.map(({ Key }) => `incomplete upload of ${Key ?? ''}`)];
  } finally {
    client.destroy();
  }
}

function points(): string[] {
  const random = seededRandom(SEED);
  const named = NAMED.filter((text) => s3 || !text.startsWith('s3')).map((text) => `name:${text}`);
  const drawn = Array.from({ length: RUNS - named.length }, () => String(1 + Math.floor(random() * moments.length)));
  return [...named, ...drawn];
}

describe('A backup that dies of SIGKILL', () => {
  test(`at twenty moments (seed ${SEED}) lists nothing that is not good, loses no dump, leaves nothing running, and the next one cleans up`, async () => {
    for (const point of points()) {
      const before = await dumpsBy(await listBackups(targets));
      const run = await runBackup(point);
      const where = `${point} (${run.moments.at(-1) ?? 'before the first moment'})`;
      // Which moments there are differs a little from run to run; one that did not come leaves a whole run.
      expect({ where, ended: run.killed || run.summary?.outcome === 'success' }).toEqual({ where, ended: true });

      expect({ where, left: await untilNone(() => processesWith(server.connection.host).then(clients)) }).toEqual({
        where,
        left: [],
      });
      expect({ where, left: await untilNone(backends) }).toEqual({ where, left: [] });

      const listing = await listBackups(targets);
      const after = await dumpsBy(listing);
      expect(after).toEqual(expect.arrayContaining(before));
      await verifyAllGood(listing, (label) => !before.some((dump) => dump.includes(label)));

      const next = await runBackup();
      expect({ where, outcome: next.summary?.outcome }).toEqual({ where, outcome: 'success' });
      expect(await dumpsBy(await listBackups(targets))).toEqual(expect.arrayContaining(after));
      expect({ where, left: await leftovers() }).toEqual({ where, left: [] });
    }
    await verifyAllGood(await listBackups(targets), () => true);
  }, 900_000);

  test('in the middle of an upload in parts leaves that upload, which the next one ends', async () => {
    if (!s3) return;
    // Enough for a first part to be sent while the dump still goes on.
    await withClient(server.connection, (client) =>
      client.query(`CREATE TABLE bigger AS SELECT encode(sha512(i::text::bytea), 'hex') AS a FROM generate_series(1, 400000) i`),
    );
    try {
      expect((await runBackup(`name:${SEVERAL_PARTS_TEXT}`)).killed).toBe(true);
      expect(await leftovers()).toEqual(expect.arrayContaining([expect.stringMatching(/^incomplete upload of .*\.sql\.gz$/)]));
      const before = await dumpsBy(await listBackups(targets));
      expect((await runBackup()).summary).toMatchObject({ outcome: 'success' });
      expect(await leftovers()).toEqual([]);
      expect(await dumpsBy(await listBackups(targets))).toEqual(expect.arrayContaining(before));
    } finally {
      await withClient(server.connection, (client) => client.query('DROP TABLE bigger'));
    }
  });

  test('between the name of the dump and its manifest leaves a dump that is listed as not indexed', async () => {
    const { killed } = await runBackup('name:after publish full/');
    expect(killed).toBe(true);
    const [newest] = (await listBackups(targets)).backups;
    expect(newest).toMatchObject({ state: 'unindexed' });
  });
});

/** The server itself and what keeps it have its folder in their arguments, too. */
function clients(processes: readonly string[]): string[] {
  return processes.filter((line) => /pg_dump|^\d+: flock|mortal-backup/.test(line));
}
