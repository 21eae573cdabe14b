import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { BackupError } from '../../../src/errors.ts';
import { restoreWithPsql, startTestServer, withDump, type TestServer } from '../../support/dump-to-file.ts';
import { startStandby, type Standby } from '../../support/standby.ts';

let primary: TestServer;
let standby: Standby;

beforeAll(async () => {
  primary = await startTestServer();
  await primary.sql('postgres', 'CREATE DATABASE app');
  await primary.sql(
    'app',
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i;
     CREATE UNLOGGED TABLE cache (id int); INSERT INTO cache VALUES (1)`,
  );
  standby = await startStandby(primary, { max_standby_streaming_delay: '0', hot_standby_feedback: 'off' });
});

afterAll(async () => {
  await standby.stop();
  await primary.stop();
});

describe('a hot standby as source', () => {
  const source = () => ({ ...standby.connection, database: 'app' });
  // The facts are read from the server whose database is dumped.
  const onStandby = (): TestServer => ({ ...primary, connection: standby.connection });

  test('is dumped; an unlogged table has no rows there, and the dump says so', async () => {
    await withDump(onStandby(), source(), {}, async ({ result, path }) => {
      expect(result.server.standby).toBe(true);
      expect(result.snapshot.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
      expect(result.outcome).toBe('incomplete');
      expect(result.omitted).toEqual([
        { kind: 'rows', object: 'public.cache', reason: expect.stringContaining('unlogged') as unknown },
      ]);
      await restoreWithPsql(primary, path, 'app_restored');
      expect(await primary.sql('app_restored', 'SELECT count(*)::int AS n FROM t')).toEqual([{ n: 5000 }]);
    });
  });

  test('when recovery cancels the dump it begins again from a new snapshot, and says how to avoid it', async () => {
    const retries: BackupError[] = [];
    await withDump(
      onStandby(),
      source(),
      {
        onRetry: (error) => void retries.push(error),
        hooks: {
          // Rows that the snapshot still sees are removed on the primary: with no delay allowed, replay cancels the dump.
          afterLocks: async () => {
            await primary.sql('app', 'DELETE FROM t WHERE id % 2 = 0');
            await primary.sql('app', 'VACUUM t');
            await standby.caughtUp();
          },
        },
      },
      ({ result }) => {
        expect(result.tables).toMatchObject([{ name: 't', rows: 2500 }]);
        return Promise.resolve();
      },
    );
    expect(retries).toMatchObject([
      { code: 'SOURCE_CHANGED', retryable: true, hint: expect.stringContaining('hot_standby_feedback') as unknown },
    ]);
  });
});
