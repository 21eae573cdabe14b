import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { commandBlocks, type CommandBlock } from '../support/command-blocks.ts';
import { describeWithEngine, IMAGE, PASSWORD, REPOSITORY, run, succeed, until } from '../support/compose.ts';
import { reachableByContainers, type Reachable } from '../support/reach-machine.ts';
import { startS3Server, type S3Server } from '../support/s3-server.ts';

describeWithEngine('Backups in five minutes, as README has them', () => {
  let blocks: CommandBlock[];
  let s3: S3Server;
  let reached: Reachable;
  let clone: string;
  const env = { COMPOSE_PROJECT_NAME: `dbbt-${randomBytes(4).toString('hex')}`, BACKUP_IMAGE: IMAGE };
  const shell = (code: string) => run('sh', ['-euc', code], { cwd: clone, env });

  beforeAll(async () => {
    blocks = (await commandBlocks(join(REPOSITORY, 'README.md'))).filter(({ name }) =>
      name.startsWith('Backups in five minutes'),
    );
    s3 = (await startS3Server())!;
    reached = await reachableByContainers(s3.endpoint);
    await s3.createBucket('my-backups');
    clone = await mkdtemp(join(tmpdir(), 'clone-'));
    for (const part of ['docker-compose.backup.yml', 'scripts/backup-manager.sh', 'config/demo'])
      await cp(join(REPOSITORY, part), join(clone, part), { recursive: true });
  });
  afterAll(async () => {
    await shell('docker compose -f docker-compose.backup.yml --profile backup --profile demo down -v -t 0');
    await rm(clone, { recursive: true });
    await reached.stop();
    await s3.stop();
  });

  test('show a first backup and its drill, with nothing set', async () => {
    const [up, status, drill, down] = blocks[0]!.code.trim().split('\n');
    for (const command of [up!, `sleep 1; ${status}`, drill!, down!]) {
      if (command.includes('status'))
        await until(
          async () => (await shell(command)).status === 0,
          async () => (await shell(command)).stdout,
          60,
        );
      else expect(await shell(command)).toMatchObject({ status: 0 });
    }
  });

  test('back a server of this host up to a bucket, and drill from there', async () => {
    const server = await succeed('docker', [
      ...['run', '--detach', '--publish', '5432', '--env', `POSTGRES_PASSWORD=${PASSWORD}`, '--env', 'POSTGRES_DB=shop'],
      ...['--volume', `${join(REPOSITORY, 'config/demo/sample.sql')}:/docker-entrypoint-initdb.d/sample.sql:ro`, 'postgres:18'],
    ]);
    try {
      const port = (await succeed('docker', ['port', server, '5432/tcp'])).split('\n')[0]!.split(':').at(-1)!;
      const isReady = () => run('docker', ['exec', server, 'pg_isready', '-q', '-h', '127.0.0.1']);
      await until(
        async () => (await isReady()).status === 0,
        () => succeed('docker', ['logs', server]),
      );
      // What a user fills in.
      const filled = [
        ['the password of the database', PASSWORD],
        ['the secret key of the bucket', s3.credentials.secretAccessKey],
        ['AKIAEXAMPLE', s3.credentials.accessKeyId],
        ['db.example.com', 'host.docker.internal'],
        ['POSTGRES_PORT=5432', `POSTGRES_PORT=${port}`],
        ['AWS_REGION=eu-central-1', `AWS_REGION=${s3.region}\nBACKUP_S3_ENDPOINT=${reached.endpoint}`],
      ].reduce((code, [from, to]) => code.replace(from!, () => to!), blocks[1]!.code);
      const [before, after] = filled.split(/(?=^scripts\/backup-manager.sh status)/m);
      expect(await shell(before!)).toMatchObject({ status: 0 });
      const [status, drill] = after!.trim().split('\n');
      await until(
        async () => (await shell(status!)).status === 0,
        async () => (await shell(status!)).stdout,
        120,
      );
      expect(await shell(drill!)).toMatchObject({ status: 0, stdout: expect.stringMatching(/backup +backup_shop_\w+ from s3/) });
      const listed = JSON.parse((await shell('scripts/backup-manager.sh list-backups --json')).stdout) as unknown;
      expect(listed).toMatchObject({ backups: [{ label: expect.stringContaining('backup_shop_'), state: 'complete' }] });
    } finally {
      await run('docker', ['rm', '--force', '--volumes', server]);
    }
  });
});
