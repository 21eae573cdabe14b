import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { DumpHooks } from '../../../src/dump/leader.ts';
import type { BackupError } from '../../../src/errors.ts';
import { connect } from '../../../src/postgres/connection.ts';
import { restoreWithPsql, startTestServer, withDump, type TestServer } from '../../support/dump-to-file.ts';

let server: TestServer;
let count = 0;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(async () => {
  await server.stop();
});

interface Outcome {
  readonly retries: readonly BackupError[];
  /** Rows of the tables in the manifest. */
  readonly rows: Record<string, number>;
  /** What the restored database has, `undefined` for no such table. */
  readonly restored: { readonly t: number | undefined; readonly other: number | undefined; readonly columns: number };
}

/**
 * Dumps a small database while `hooks` change it, restores the dump with psql and looks at the result. A second attempt begins when all
 * of `changes` are through, as after the pause of the job.
 */
async function dumpWhile(hooks: (database: string) => DumpHooks, changes: readonly Promise<unknown>[] = []): Promise<Outcome> {
  count += 1;
  const database = `changing_${String(count)}`;
  await server.sql('postgres', `CREATE DATABASE ${database}`);
  await server.sql(
    database,
    `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
     CREATE TABLE other (id int); INSERT INTO other SELECT generate_series(1, 50)`,
  );
  const retries: BackupError[] = [];
  return await withDump(
    server,
    server.database(database),
    {
      hooks: hooks(database),
      onRetry: async (error) => {
        retries.push(error);
        await Promise.all(changes);
      },
    },
    async ({ result, path }) => {
      const copy = `${database}_restored`;
      await restoreWithPsql(server, path, copy);
      const countOf = async (table: string): Promise<number | undefined> => {
        const [there] = await server.sql(copy, `SELECT to_regclass('${table}') IS NOT NULL AS there`);
        if (there!['there'] !== true) return undefined;
        const [row] = await server.sql(copy, `SELECT count(*)::int AS n FROM ${table}`);
        return row!['n'] as number;
      };
      const [columns] = await server.sql(
        copy,
        `SELECT count(*)::int AS n FROM pg_attribute WHERE attrelid = to_regclass('t') AND attnum > 0`,
      );
      return {
        retries,
        rows: Object.fromEntries(result.tables.map(({ name, rows }) => [name, rows])),
        restored: { t: await countOf('t'), other: await countOf('other'), columns: columns!['n'] as number },
      };
    },
  );
}

/** Does something once, however many attempts there are. */
function once(action: () => Promise<unknown>): () => Promise<void> {
  let done = false;
  return async () => {
    if (done) return;
    done = true;
    await action();
  };
}

describe('a source that changes between snapshot and lock', () => {
  const change = (sql: string) => dumpWhile((database) => ({ afterSnapshot: once(() => server.sql(database, sql)) }));

  test('rows that come later are not in the dump', async () => {
    const { retries, rows, restored } = await change("INSERT INTO t SELECT i, 'late' FROM generate_series(2000, 9000) i");
    expect(retries).toEqual([]);
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toMatchObject({ t: 1000, other: 50 });
  });

  test('a truncated table is noticed and dumped from a new snapshot, never as rows that were not there', async () => {
    const { retries, rows, restored } = await change('TRUNCATE t; INSERT INTO t VALUES (7)');
    expect(retries.map(({ code, message }) => [code, message])).toEqual([
      ['SOURCE_CHANGED', 'public.t changed during the dump.'],
    ]);
    expect(rows).toEqual({ t: 1, other: 50 });
    expect(restored).toMatchObject({ t: 1, other: 50 });
  });

  test('a rewritten table is noticed', async () => {
    const { retries, rows, restored } = await change('ALTER TABLE t ALTER id TYPE bigint');
    expect(retries).toHaveLength(1);
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toMatchObject({ t: 1000 });
  });

  test('a new column does not tear the dump apart', async () => {
    const { restored } = await change("ALTER TABLE t ADD COLUMN late text DEFAULT 'x'");
    expect(restored).toMatchObject({ t: 1000, other: 50 });
  });

  test('a dropped column is noticed', async () => {
    const { rows, restored } = await change('ALTER TABLE t DROP COLUMN v');
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toMatchObject({ t: 1000 });
  });

  test('a column dropped and made again under its name is not dumped as NULLs', async () => {
    const { retries, rows } = await change("ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v text DEFAULT 'again'");
    expect(retries).toHaveLength(1);
    expect(rows).toEqual({ t: 1000, other: 50 });
  });

  test('functions that somebody put in place of the server\u2019s are not called', async () => {
    const { retries } = await change(
      `CREATE FUNCTION public.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;
       CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$`,
    );
    expect(retries).toEqual([]);
  });

  test('two tables that swapped their names are not dumped as each other', async () => {
    const { retries, rows } = await change(
      'ALTER TABLE t RENAME TO x; ALTER TABLE other RENAME TO t; ALTER TABLE x RENAME TO other',
    );
    expect(retries).toHaveLength(1);
    expect(rows).toEqual({ t: 50, other: 1000 });
  });

  test('a dropped table is gone from the dump', async () => {
    const { retries, rows, restored } = await change('DROP TABLE t');
    expect(retries).toHaveLength(1);
    expect(rows).toEqual({ other: 50 });
    expect(restored).toMatchObject({ t: undefined, other: 50 });
  });

  test('a table dropped and made again under its name is the new one', async () => {
    const { retries, rows } = await change(
      "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'new')",
    );
    expect(retries).toHaveLength(1);
    expect(rows).toEqual({ t: 1, other: 50 });
  });

  test('a new table is not half in the dump', async () => {
    const { rows, restored } = await change('CREATE TABLE late (id int); INSERT INTO late VALUES (1)');
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toMatchObject({ t: 1000, other: 50 });
  });
});

describe('an exclusive lock asked for while the dump holds the table', () => {
  test('before the others have it: everything is let go, the change goes through, and the dump begins again', async () => {
    const altering: Promise<unknown>[] = [];
    const { retries, rows, restored } = await dumpWhile(
      (database) => ({
        afterLocks: once(async () => {
          altering.push(server.sql(database, 'ALTER TABLE t ADD COLUMN late int'));
          await waitForBlockedLock(database);
        }),
      }),
      altering,
    );
    expect(retries.map(({ code }) => code)).toEqual(['SOURCE_CHANGED']);
    expect(retries[0]!.message).toContain('lock');
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toEqual({ t: 1000, other: 50, columns: 3 });
  });

  test('one that is given up in time is waited for', async () => {
    const altering: Promise<unknown>[] = [];
    const { retries } = await dumpWhile((database) => ({
      // The leader itself cannot have the lock: somebody holds it.
      afterSnapshot: once(async () => {
        const holder = await connect(server.database(database), { applicationName: 'migration' });
        await holder.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
        altering.push(releaseWhenAwaited(database, holder));
      }),
    }));
    await Promise.all(altering);
    // It waited, got the lock when the other was done, and found nothing changed.
    expect(retries).toEqual([]);
  });

  test('a lock that is not given up in time fails the attempts, and the message says who has it', async () => {
    const database = 'locked';
    await server.sql('postgres', `CREATE DATABASE ${database}`);
    await server.sql(database, 'CREATE TABLE t (id int)');
    const holder = await connect(server.database(database), { applicationName: 'migration' });
    try {
      await holder.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
      const dump = withDump(server, server.database(database), { lockTimeoutMs: 50 }, () => Promise.resolve());
      await expect(dump).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: expect.stringMatching(/migration.* holds a lock on public.t: BEGIN; LOCK TABLE t/) as unknown,
      });
    } finally {
      await holder.end();
    }
  });
});

describe('a source that changes after the rows are copied', () => {
  test('changes nothing in the dump', async () => {
    const { retries, rows, restored } = await dumpWhile((database) => ({
      afterRows: once(() => server.sql(database, "INSERT INTO t VALUES (5000, 'late'); DELETE FROM other")),
    }));
    expect(retries).toEqual([]);
    expect(rows).toEqual({ t: 1000, other: 50 });
    expect(restored).toMatchObject({ t: 1000, other: 50 });
  });
});

async function blockedLocks(database: string): Promise<number> {
  const [row] = await server.sql(
    'postgres',
    `SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = '${database}')`,
  );
  return row!['n'] as number;
}

async function waitForBlockedLock(database: string): Promise<void> {
  while ((await blockedLocks(database)) === 0) await sleep(10);
}

async function releaseWhenAwaited(database: string, holder: Awaited<ReturnType<typeof connect>>): Promise<void> {
  await waitForBlockedLock(database);
  await holder.query('ROLLBACK');
  await holder.end();
}
