import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { startTestServer, withDump, type TestServer } from '../../support/dump-to-file.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
  await server.sql('postgres', 'CREATE DATABASE app');
  await server.sql('app', 'CREATE TABLE t AS SELECT i AS id, md5(i::text) AS v FROM generate_series(1, 400000) i');
});

afterAll(async () => {
  await server.stop();
});

/** Sessions of ours on the database; ended backends need a moment to be gone. */
async function ourSessions(): Promise<number> {
  const count = async (): Promise<number> => {
    const rows = await server.sql(
      'postgres',
      "SELECT 1 FROM pg_stat_activity WHERE datname = 'app' AND application_name LIKE 'db-backup%' AND state IS NOT NULL",
    );
    return rows.length;
  };
  for (let i = 0; i < 200 && (await count()) > 0; i += 1) await sleep(50);
  return await count();
}

const threads = (): number => readdirSync('/proc/self/task').length;

describe('a dump that cannot go on', () => {
  test('aborted in the middle: the connections and threads are gone, and the error says aborted', async () => {
    const before = threads();
    const controller = new AbortController();
    const dump = withDump(
      server,
      server.database('app'),
      {
        signal: controller.signal,
        hooks: {
          afterLocks: () => {
            setTimeout(() => {
              controller.abort();
            }, 150);
            return Promise.resolve();
          },
        },
      },
      () => Promise.resolve(),
    );
    await expect(dump).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await ourSessions()).toBe(0);
    // The thread pool of the runtime itself may have grown by four.
    expect(threads()).toBeLessThanOrEqual(before + 4);
  });

  test('a backend that is killed fails the dump; nothing of it stays behind', async () => {
    const dump = withDump(
      server,
      server.database('app'),
      {
        hooks: {
          afterLocks: () => {
            void (async () => {
              for (;;) {
                const killed = await server.sql(
                  'postgres',
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-backup copy' AND query LIKE '%COPY%' LIMIT 1",
                );
                if (killed.length > 0) return;
                await sleep(5);
              }
            })();
            return Promise.resolve();
          },
        },
      },
      () => Promise.resolve(),
    );
    await expect(dump).rejects.toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
    expect(await ourSessions()).toBe(0);
  });

  test('a snapshot whose holder was killed fails the dump, even if every row came through', async () => {
    const dump = withDump(
      server,
      server.database('app'),
      {
        hooks: {
          afterRows: async () => {
            await server.sql(
              'postgres',
              "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'db-backup leader'",
            );
          },
        },
      },
      () => Promise.resolve(),
    );
    await expect(dump).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
    expect(await ourSessions()).toBe(0);
  });

  test('a sink that fails ends the dump with its own error', async () => {
    const disk = new Error('the disk is full');
    const controller = new AbortController();
    const { dumpDatabase } = await import('../../../src/dump/dump.ts');
    const { systemClock } = await import('../../../src/clock.ts');
    const dump = dumpDatabase(
      {
        connection: server.database('app'),
        programs: server.programs,
        server: { version: '', versionNum: server.programs.major * 10_000, standby: false },
        sink: { append: () => Promise.reject(disk) },
        tocPath: `/tmp/dump-failure-${String(process.pid)}.toc`,
        clock: systemClock,
        signal: controller.signal,
      },
      { source: 'test', label: 'test', version: '0', codec: 'gzip', level: 1, workers: 2, lockTimeoutMs: 1000 },
    );
    await expect(dump).rejects.toThrow('the disk is full');
    expect(await ourSessions()).toBe(0);
  });
});
