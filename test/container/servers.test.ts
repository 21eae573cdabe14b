import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { GenericContainer, Network, Wait, type StartedNetwork, type StartedTestContainer } from 'testcontainers';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeWithEngine, IMAGE, PASSWORD, REPOSITORY } from '../support/compose.ts';

// The engine is gone after the tests, and what it ran with it: no container is needed that removes others.
process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';

const ORDERS = 'SELECT count(*), sum(total) FROM application.orders';

describeWithEngine('The image, with servers of several versions', () => {
  let network: StartedNetwork;
  beforeAll(async () => {
    network = await new Network().start();
  });
  afterAll(async () => {
    await network.stop();
  });

  test.each([15, 17, 18])('backs up PostgreSQL %i and restores into it', async (major) => {
    const started: StartedTestContainer[] = [];
    try {
      const server = await new GenericContainer(`postgres:${major}`)
        .withNetwork(network)
        .withNetworkAliases(`server-${major}`)
        .withEnvironment({ POSTGRES_PASSWORD: PASSWORD, POSTGRES_DB: 'modulodb' })
        .withCopyContentToContainer([
          {
            content: await readFile(join(REPOSITORY, 'config/demo/sample.sql')),
            target: '/docker-entrypoint-initdb.d/sample.sql',
          },
        ])
        .withHealthCheck({
          test: ['CMD', 'pg_isready', '-q', '-h', '127.0.0.1', '-U', 'postgres'],
          interval: 500,
          timeout: 5000,
          retries: 200,
          startPeriod: 0,
        })
        .withWaitStrategy(Wait.forHealthCheck())
        .start();
      started.push(server);
      const ours = await new GenericContainer(IMAGE)
        .withNetwork(network)
        .withTmpFs({ '/backups': 'uid=1000', '/work': 'uid=1000' })
        .withEnvironment({ POSTGRES_HOST: `server-${major}`, POSTGRES_DB: 'modulodb', POSTGRES_PASSWORD: PASSWORD })
        .withCommand(['sleep', 'infinity'])
        .withHealthCheck({ test: ['CMD', 'true'], interval: 500, timeout: 5000, retries: 20, startPeriod: 0 })
        .withWaitStrategy(Wait.forHealthCheck())
        .start();
      started.push(ours);
      for (const command of [['create-backup'], ['verify'], ['restore', 'latest', 'again']]) {
        const { exitCode, output } = await ours.exec(['backup-manager', ...command]);
        expect({ command, exitCode, output: exitCode === 0 ? '' : output }).toEqual({ command, exitCode: 0, output: '' });
      }
      const query = async (database: string) =>
        (await server.exec(['psql', '-qAtX', '-U', 'postgres', '-d', database, '-c', ORDERS])).output;
      expect(await query('again')).toBe(await query('modulodb'));
      expect(await query('again')).toMatch(/^20000\|/);
    } finally {
      for (const container of started.reverse()) await container.stop({ timeout: 0 });
    }
  });
});
