import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { runAssertions, type AssertionsResult } from '../../../src/drill/assertions.ts';
import { checkHealth } from '../../../src/drill/index-health.ts';
import type { ConnectionOptions } from '../../../src/postgres/connection.ts';
import { startTestServer, type TestServer } from '../../support/dump-to-file.ts';

const { signal } = new AbortController();
let server: TestServer;
let shop: ConnectionOptions;

beforeAll(async () => {
  server = await startTestServer(15);
  shop = server.database('shop');
  await server.sql('postgres', 'CREATE DATABASE shop');
  await server.sql('postgres', 'CREATE DATABASE definitions');
  await server.sql(
    'shop',
    `CREATE SCHEMA app; CREATE TABLE app.orders (id int PRIMARY KEY, total numeric, note text);
     INSERT INTO app.orders SELECT i, i, repeat('x', 500) FROM generate_series(1, 3000) i; CREATE INDEX by_total ON app.orders (total);
     CREATE TABLE app.damaged (id int PRIMARY KEY, t text); INSERT INTO app.damaged SELECT i, 't' || i FROM generate_series(1, 2000) i;
     ALTER DATABASE shop SET search_path = app`,
  );
});

afterAll(async () => {
  await server.stop();
});

describe('the check of the health', () => {
  const health = () => checkHealth({ connection: shop, emptyCopy: server.database('definitions'), jobs: 2, signal });

  test('passes a whole database and leaves nothing behind', async () => {
    expect(await health()).toMatchObject({ verdict: 'passed', findings: [] });
    expect(await server.sql('shop', `SELECT FROM pg_extension WHERE extname = 'amcheck'`)).toEqual([]);
    expect(await server.sql('shop', `SELECT FROM pg_namespace WHERE nspname LIKE 'db_backup%'`)).toEqual([]);
  });

  test('uses the extension where it is, and leaves it', async () => {
    await server.sql('shop', 'CREATE SCHEMA "Tools"; CREATE EXTENSION amcheck SCHEMA "Tools"');
    expect(await health()).toMatchObject({ verdict: 'passed' });
    expect(await server.sql('shop', `SELECT FROM pg_extension WHERE extname = 'amcheck'`)).toHaveLength(1);
    await server.sql('shop', 'DROP SCHEMA "Tools" CASCADE');
  });

  test('finds an index that lacks a row of its table, and rows of a table that cannot be', async () => {
    const byTotal = `indexrelid = 'app.by_total'::regclass`;
    // Not ready, it is not told of the new row. And rows that are older than the oldest that the table may have.
    await server.sql('shop', `UPDATE pg_index SET indisready = false WHERE ${byTotal}`);
    await server.sql('shop', `INSERT INTO app.orders VALUES (3001, 3001, 'unknown to the index')`);
    await server.sql('shop', `UPDATE pg_index SET indisready = true WHERE ${byTotal}`);
    await server.sql('shop', `UPDATE pg_class SET relfrozenxid = pg_current_xact_id()::xid WHERE oid = 'app.damaged'::regclass`);
    const { verdict, findings } = await health();
    expect(verdict).toBe('failed');
    expect([...new Set(findings.map(({ object }) => object))].sort()).toEqual(['app.damaged', 'index app.by_total']);
    const messageOf = (name: string) => findings.find(({ object }) => object === name)!.message;
    expect(messageOf('index app.by_total')).toMatch(/heap tuple .* lacks matching index tuple/);
    expect(messageOf('app.damaged')).toMatch(/^block 0, item 1: xmin \d+ precedes relation freeze threshold/);
    expect(findings).toContainEqual({ object: 'app.damaged', message: 'there is more damage than what is listed' });
    await server.sql('shop', `DELETE FROM app.orders WHERE id = 3001; DROP TABLE app.damaged`);
  });

  test('is inconclusive, with what to install, when the server lacks the extension', async () => {
    // A database that answers as one of a server without the package.
    await server.sql('postgres', 'CREATE DATABASE bare');
    await server.sql(
      'bare',
      `SET allow_system_table_mods = on; ALTER VIEW pg_catalog.pg_available_extensions RENAME TO available;
       CREATE VIEW pg_catalog.pg_available_extensions AS SELECT * FROM pg_catalog.available WHERE name <> 'amcheck'`,
    );
    const bare = server.database('bare');
    const result = await checkHealth({ connection: bare, emptyCopy: server.database('definitions'), jobs: 2, signal });
    expect(result).toMatchObject({ verdict: 'inconclusive', checked: { indexes: 0, tables: 0 } });
    expect(result.findings[0]!.hint).toContain('postgresql-contrib of version 15');
  });
});

describe('assertions', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'assertions-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function run(files: Record<string, string | Buffer>, timeoutSeconds = 60): Promise<AssertionsResult> {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.sql`), text);
    return await runAssertions({ connection: shop, folder, timeoutSeconds, signal });
  }

  test('are run in the order of their names, with the settings of the database, and each by itself', async () => {
    const result = await run({
      '30-last': '-- expect: rows\nSELECT id, note FROM orders ORDER BY id',
      '10-first': 'SELECT count(*) = 3000 FROM orders; -- found by the search path of the database\n',
      '20-broken': 'SELECT count(*)\n  FRM orders',
      '15-none': '-- expect: empty\nSELECT * FROM orders WHERE total < 0',
    });
    expect(result.assertions.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['10-first', 'passed'],
      ['15-none', 'passed'],
      ['20-broken', 'failed'],
      ['30-last', 'passed'],
    ]);
    expect(result.verdict).toBe('failed');
    expect(result.findings).toEqual([
      { object: 'assertion 20-broken', message: 'syntax error at or near "orders" (line 2, column 7).' },
    ]);
    const last = result.assertions.at(-1)!;
    expect(last).toMatchObject({ columns: ['id', 'note'], more: true });
    expect(last.rows).toHaveLength(20);
    expect(last.rows![0]).toEqual(['1', `${'x'.repeat(200)}…`]);
  });

  test.each([
    ['false', 'SELECT false', 'it gave false.'],
    ['NULL', 'SELECT NULL::bool', 'it gave NULL.'],
    ['a number', 'SELECT 1', 'it must give one row with one boolean, and gave 1 rows of 1 columns.'],
    ['many rows', 'SELECT true FROM orders', 'it must give one row with one boolean, and gave more than 20 rows of 1 columns.'],
    ['no row', 'SELECT true WHERE false', 'it must give one row with one boolean, and gave 0 rows of 1 columns.'],
    ['rows where none may be', '-- expect: empty\nSELECT id FROM orders WHERE id < 3', 'it must give no row, and gave some.'],
    ['no rows where some must be', '--expect: rows\nSELECT id FROM orders WHERE id < 0', 'it must give rows, and gave none.'],
    ['an unknown expectation', '-- expect: perfection\nSELECT true', 'its first line names an expectation that is not known'],
    ['nothing', '', 'syntax error at end of input'],
    ['a table that is not there', 'SELECT count(*) > 0 FROM ordres', 'relation "ordres" does not exist (line 1, column 26).'],
    [
      'umlauts before the error',
      `SELECT 'äöü' = \n nowhere.x`,
      'missing FROM-clause entry for table "nowhere" (line 2, column 2).',
    ],
    ['a division by zero', 'SELECT 1 / 0 = 1', 'division by zero.'],
    ['two statements', 'SELECT true; SELECT true', 'cannot insert multiple commands into a prepared statement.'],
    [
      'an end of the transaction',
      'SELECT true; COMMIT; DROP TABLE orders',
      'cannot insert multiple commands into a prepared statement.',
    ],
    ['a change', 'DELETE FROM orders RETURNING true', 'syntax error at or near "DELETE" (line 1, column 1).'],
    [
      'a change inside a query',
      'WITH gone AS (DELETE FROM orders RETURNING 1) SELECT true FROM gone',
      'must not contain data-modifying',
    ],
    ['a change by a function', `SELECT setval('app.s', 1) = 1`, 'cannot execute setval() in a read-only transaction.'],
  ])('that give %s fail with the reason', async (_, text, message) => {
    await server.sql('shop', 'CREATE SEQUENCE IF NOT EXISTS app.s');
    const { assertions } = await run({ only: text });
    expect(assertions).toEqual([
      expect.objectContaining({ name: 'only', verdict: 'failed', message: expect.stringContaining(message) }),
    ]);
    expect(await server.sql('shop', 'SELECT count(*)::int AS n FROM app.orders')).toEqual([{ n: 3000 }]);
  });

  test('that take too long are stopped, and the next is run', async () => {
    const { assertions } = await run({ a: 'SELECT pg_sleep(100) IS NULL', b: 'SELECT true' }, 1);
    expect(assertions).toMatchObject([
      { name: 'a', verdict: 'failed', message: 'it took longer than 1 seconds.' },
      { name: 'b', verdict: 'passed' },
    ]);
  });

  test('that begin with a byte order mark are read', async () => {
    expect((await run({ bom: '\ufeff-- expect: rows\nSELECT 1' })).verdict).toBe('passed');
  });

  test('need not exist; what is no assertion is passed over, and what cannot be read or run is inconclusive', async () => {
    expect(await runAssertions({ connection: shop, folder: join(folder, 'none'), timeoutSeconds: 1, signal })).toEqual({
      verdict: 'passed',
      findings: [],
      assertions: [],
    });
    await writeFile(join(folder, 'README.md'), 'no SQL');
    await writeFile(join(folder, '.hidden.sql'), 'no SQL');
    expect((await run({})).assertions).toEqual([]);
    await mkdir(join(folder, 'a folder.sql'));
    const unreadable = await run({ fine: 'SELECT true' });
    expect(unreadable.assertions.map(({ verdict }) => verdict)).toEqual(['inconclusive', 'passed']);
    expect(unreadable.verdict).toBe('inconclusive');
    const nowhere = await runAssertions({
      connection: { ...shop, host: join(folder, 'nowhere') },
      folder,
      timeoutSeconds: 1,
      signal,
    });
    expect(nowhere.verdict).toBe('inconclusive');
    const file = await runAssertions({ connection: shop, folder: join(folder, 'README.md'), timeoutSeconds: 1, signal });
    expect(file).toMatchObject({ verdict: 'inconclusive', assertions: [] });
  });

  test('end when the drill is aborted', async () => {
    await writeFile(join(folder, 'long.sql'), 'SELECT pg_sleep(100) IS NULL');
    const abort = new AbortController();
    const running = runAssertions({ connection: shop, folder, timeoutSeconds: 100, signal: abort.signal });
    for (;;) {
      const busy = await server.sql('shop', `SELECT FROM pg_stat_activity WHERE query LIKE 'FETCH%' AND state = 'active'`);
      if (busy.length > 0) break;
    }
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
  });
});
