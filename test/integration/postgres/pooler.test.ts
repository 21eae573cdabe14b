import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { connect, withClient, type ConnectionOptions } from '../../../src/postgres/connection.ts';
import { findPrograms } from '../../../src/postgres/programs.ts';
import { refusePooler } from '../../../src/postgres/pooler.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../../src/postgres/throw-away-server.ts';
import { hasPgbouncer, withPgbouncer } from '../../support/pgbouncer.ts';

let server: ThrowAwayServer;

beforeAll(async () => {
  const { directory } = await findPrograms({ serverMajor: 12 });
  server = await startThrowAwayServer({ binDirectory: directory });
});
afterAll(async () => await server.stop());

/** Leaves `count` idle server processes in the pool for the next client to be given. */
async function fillPool(pooled: ConnectionOptions, count: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: count }, async () => await connect(pooled)));
  for (const client of clients) await client.query('BEGIN');
  for (const client of clients) await client.query('ROLLBACK');
  for (const client of clients) await client.end();
}

test('a direct connection is accepted', async () => {
  await expect(refusePooler(server.connection)).resolves.toBeUndefined();
});

const withPooler = hasPgbouncer() ? describe : describe.skip;
if (!hasPgbouncer()) console.warn('not run: no pgbouncer here (Debian package pgbouncer)');

withPooler('a pgbouncer in front of the server', () => {
  test('in session mode is accepted, whatever number of processes is idle', async () => {
    await withPgbouncer(server.connection, { pool_mode: 'session', server_round_robin: '1' }, async (pooled) => {
      for (const idle of [0, 1, 2, 3, 5]) {
        await fillPool(pooled, idle);
        await expect(refusePooler(pooled)).resolves.toBeUndefined();
      }
    });
  });

  test.each(['0', '1'])(
    'in transaction mode is refused, whatever number of processes is idle (round robin: %s)',
    async (server_round_robin) => {
      await withPgbouncer(server.connection, { pool_mode: 'transaction', server_round_robin }, async (pooled) => {
        for (const idle of [0, 1, 2, 3, 5]) {
          await fillPool(pooled, idle);
          await expect(refusePooler(pooled)).rejects.toMatchObject({
            code: 'SOURCE_POOLER',
            hint: expect.stringContaining('server itself'),
          });
        }
      });
    },
  );

  test('in statement mode is refused', async () => {
    await withPgbouncer(server.connection, { pool_mode: 'statement' }, async (pooled) => {
      await expect(refusePooler(pooled)).rejects.toMatchObject({ code: 'SOURCE_POOLER' });
    });
  });

  test('with a pool too small for a backup is refused instead of waited for', async () => {
    await withPgbouncer(server.connection, { pool_mode: 'session', default_pool_size: '1' }, async (pooled) => {
      await expect(refusePooler({ ...pooled, connectTimeoutSeconds: 1 })).rejects.toMatchObject({ code: 'SOURCE_POOLER' });
    });
  });

  test('really stands in between: two sessions of the transaction mode share a process', async () => {
    await withPgbouncer(server.connection, { pool_mode: 'transaction' }, async (pooled) => {
      const pids = await withClient(pooled, async (one) =>
        withClient(pooled, async (two) => {
          const sql = 'SELECT pg_backend_pid() AS pid';
          return [(await one.query(sql)).rows, (await two.query(sql)).rows];
        }),
      );
      expect(pids[0]).toEqual(pids[1]);
    });
  });
});
