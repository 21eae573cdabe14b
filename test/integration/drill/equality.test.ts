import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import type { Finding } from '../../../src/drill/check.ts';
import { digestTables } from '../../../src/dump/digest-tables.ts';
import { withClient } from '../../../src/postgres/connection.ts';
import { makeDrillPair, type DrillPair } from '../../support/drill-pair.ts';
import { startShopServer, type ShopServer } from '../../support/shop-server.ts';

let server: ShopServer;
let pair: DrillPair;

beforeAll(async () => {
  server = await startShopServer();
  for (const statement of [
    `CREATE ROLE "stock keeper"`,
    `ALTER DATABASE shop SET work_mem = '7MB'`,
    `ALTER ROLE "stock keeper" IN DATABASE shop SET lock_timeout = '7s'`,
    `GRANT CONNECT ON DATABASE shop TO "stock keeper" WITH GRANT OPTION`,
    `COMMENT ON DATABASE shop IS 'sells things'`,
  ]) {
    await server.query('postgres', statement);
  }
  await server.query(
    'shop',
    `CREATE TABLE moved_to (LIKE orders);
     GRANT SELECT ON orders TO "stock keeper";
     CREATE FUNCTION price(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
     CREATE FOREIGN DATA WRAPPER w;
     CREATE SERVER far FOREIGN DATA WRAPPER w;
     CREATE USER MAPPING FOR "stock keeper" SERVER far OPTIONS (password 'secret word')`,
  );
  pair = await makeDrillPair(server.shop, server.programs);
});

afterAll(async () => {
  await server.server.stop();
});

describe('a database that was restored well', () => {
  test('equals its source in every table', async () => {
    const result = await pair.equality();
    expect(result.findings).toEqual([]);
    expect(result.verdict).toBe('passed');
    const byName = new Map(result.tables.map((table) => [table.name, table]));
    expect(byName.get('orders')).toMatchObject({ schema: 'public', equal: true, found: { rows: 20_000 } });
    // A hash of enums puts rows elsewhere after a restore: the partitions are one with their root.
    expect(byName.get('keyed')).toMatchObject({ equal: true, found: { rows: 1000 } });
    expect(byName.has('keyed_0')).toBe(false);
    expect(result.tables.every(({ equal, expected, found }) => equal && expected.digest === found?.digest)).toBe(true);
  });

  test('is healthy', async () => {
    const result = await pair.health();
    expect(result).toMatchObject({ verdict: 'passed', findings: [] });
    expect(result.checked.indexes).toBeGreaterThan(50);
    expect(result.checked.tables).toBeGreaterThan(50);
  });
});

describe('after the restore and before the comparison', () => {
  afterEach(async () => {
    // What a test has changed it has changed back: the next one begins with an equal database.
    expect((await pair.equality()).findings).toEqual([]);
  });

  /** Changes the restored database, compares, and undoes the change. Triggers are not fired: what is changed is only what is said. */
  async function findingsAfter(change: string, undo: string): Promise<readonly Finding[]> {
    await run(change);
    try {
      const { verdict, findings } = await pair.equality();
      expect(verdict).toBe('failed');
      return findings;
    } finally {
      await run(undo);
    }
  }

  async function run(sql: string): Promise<void> {
    await withClient(pair.restored, async (client) => {
      await client.query('SET session_replication_role = replica');
      await client.query(sql);
    });
  }

  const orders = 'public.orders';

  test('a row added is found, with its table', async () => {
    const findings = await findingsAfter(
      `INSERT INTO orders (id, customer, note) VALUES (99999, 1, 'forged')`,
      'DELETE FROM orders WHERE id = 99999',
    );
    expect(findings).toEqual([
      {
        object: orders,
        message:
          'It has 20001 rows, the source had 20000. 0 rows of the backup are not in the table, 1 row of the table is not in the backup.',
      },
    ]);
  });

  test('a row removed is found, with its place in the backup', async () => {
    const findings = await findingsAfter(
      'CREATE TABLE kept AS SELECT * FROM orders WHERE id = 777; DELETE FROM orders WHERE id = 777',
      'INSERT INTO orders SELECT * FROM kept; DROP TABLE kept',
    );
    const found = findings.find(({ object }) => object === orders)!.message;
    expect(found).toContain('It has 19999 rows, the source had 20000. 1 row of the backup is not in the table');
    expect(found).not.toContain(',1,');
    // The command that it gives shows the very row.
    const command = /To see it: (.*)$/.exec(found)![1]!;
    expect(await inBackup(command)).toMatch(/^777\t178\t/);
    expect(findings.map(({ object }) => object)).toEqual([orders, 'TABLE public.kept', 'public.kept']);
  });

  test('a column changed in one row is found, with its name and without its value', async () => {
    const findings = await findingsAfter(
      `UPDATE orders SET note = 'a private matter' WHERE id = 4000`,
      `UPDATE orders SET note = repeat(md5('4000'), 4) WHERE id = 4000`,
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]!.object).toBe(orders);
    expect(findings[0]!.message).toContain('differs only in column note');
    expect(findings[0]!.message).toMatch(/they lie in member \d+, bytes \d+ to \d+; the first is row \d+ of member \d+/);
    expect(JSON.stringify(findings)).not.toContain('private');
  });

  test('the values of two rows swapped are found', async () => {
    const swap = `UPDATE orders SET note = repeat(md5(CASE id WHEN 10 THEN '20' ELSE '10' END), 4) WHERE id IN (10, 20)`;
    const back = `UPDATE orders SET note = repeat(md5(id::text), 4) WHERE id IN (10, 20)`;
    const findings = await findingsAfter(swap, back);
    expect(findings).toHaveLength(1);
    expect(findings[0]!.message).toContain('It has the 20000 rows of the source by number, but not by content');
    expect(findings[0]!.message).toContain('2 pairs of them differ only in column note');
  });

  test('a row moved to another table is found in both', async () => {
    const findings = await findingsAfter(
      'WITH gone AS (DELETE FROM orders WHERE id = 5 RETURNING *) INSERT INTO moved_to SELECT * FROM gone',
      'WITH gone AS (DELETE FROM moved_to RETURNING *) INSERT INTO orders SELECT * FROM gone',
    );
    expect(findings.map(({ object }) => object).sort()).toEqual(['public.moved_to', orders]);
  });

  test('a row of a partition that is loaded through its root is found', async () => {
    const findings = await findingsAfter('UPDATE keyed SET n = -1 WHERE n = 500', 'UPDATE keyed SET n = 500 WHERE n = -1');
    expect(findings.map(({ object }) => object)).toEqual(['public.keyed']);
    expect(findings[0]!.message).toContain('only in column n');
  });

  test('a table that lost a column, or all of its rows to another name, is found', async () => {
    const lost = await findingsAfter('ALTER TABLE moved_to RENAME at TO "when"', 'ALTER TABLE moved_to RENAME "when" TO at');
    expect(lost).toContainEqual({ object: 'public.moved_to', message: 'it lacks the column at' });
    const renamed = await findingsAfter('ALTER TABLE nothing RENAME TO something', 'ALTER TABLE something RENAME TO nothing');
    expect(renamed).toContainEqual({ object: 'public.nothing', message: 'it does not exist' });
    expect(renamed).toContainEqual({
      object: 'public.something',
      message: 'the restored database has this table with 1 rows, the backup has not',
    });
  });

  test('a sequence set back is found, with both values', async () => {
    const findings = await findingsAfter(`SELECT setval('orders_id_seq', 1)`, `SELECT setval('orders_id_seq', 123456)`);
    expect(findings).toEqual([
      { object: 'sequence public.orders_id_seq', message: 'it is at 1 (called), the backup has 123456 (called)' },
    ]);
    const notCalled = await findingsAfter(
      `SELECT setval('orders_id_seq', 123456, false)`,
      `SELECT setval('orders_id_seq', 123456)`,
    );
    expect(notCalled[0]!.message).toBe('it is at 123456 (not called yet), the backup has 123456 (called)');
  });

  /** Changes in different places are made together, and each has to be found: comparing takes longer than looking. */
  async function expectFound(
    cases: readonly (readonly [change: string, undo: string, object: string, message: string])[],
  ): Promise<void> {
    const findings = await findingsAfter(cases.map(([change]) => change).join(';'), cases.map(([, undo]) => undo).join(';'));
    expect(findings.map(({ object }) => object).sort()).toEqual(cases.map(([, , object]) => object).sort());
    for (const [, , object, message] of cases)
      expect(findings.find((each) => each.object === object)!.message).toContain(message);
    expect(JSON.stringify(findings)).not.toMatch(/secret|other word/);
  }

  test('definitions that are missing or were changed are found, each by its name', async () => {
    await expectFound([
      [
        'DROP INDEX orders_by_customer',
        'CREATE INDEX orders_by_customer ON orders (customer)',
        'INDEX public.orders_by_customer',
        'it is missing in the restored database',
      ],
      [
        'CREATE INDEX of_our_own ON orders (note)',
        'DROP INDEX of_our_own',
        'INDEX public.of_our_own',
        'the restored database has it, the backup has not',
      ],
      [
        'ALTER TABLE customers DROP CONSTRAINT customers_score_check',
        'ALTER TABLE customers ADD CONSTRAINT customers_score_check CHECK (score >= 0)',
        'TABLE public.customers',
        'its definition differs',
      ],
      [
        'ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey',
        'ALTER TABLE orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES customers (id)',
        'FK CONSTRAINT public.orders orders_customer_fkey',
        'it is missing in the restored database',
      ],
      [
        `CREATE OR REPLACE FUNCTION price(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 3'`,
        `CREATE OR REPLACE FUNCTION price(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'`,
        'FUNCTION public.price(integer)',
        'its definition differs: expected `AS $$SELECT n * 2$$;`, found `AS $$SELECT n * 3$$;`',
      ],
      [
        `REVOKE SELECT ON orders FROM "stock keeper"`,
        `GRANT SELECT ON orders TO "stock keeper"`,
        'ACL public.TABLE orders',
        'it is missing in the restored database',
      ],
      [
        'ALTER TABLE orders DISABLE TRIGGER no_notes',
        'ALTER TABLE orders ENABLE TRIGGER no_notes',
        'TRIGGER public.orders no_notes',
        'its definition differs',
      ],
      [
        `CREATE OR REPLACE VIEW glad AS SELECT * FROM customers WHERE feels = 'sad'`,
        `CREATE OR REPLACE VIEW glad AS SELECT * FROM customers WHERE feels = 'glad'`,
        'VIEW public.glad',
        'its definition differs',
      ],
      [
        `ALTER USER MAPPING FOR "stock keeper" SERVER far OPTIONS (SET password 'other word')`,
        `ALTER USER MAPPING FOR "stock keeper" SERVER far OPTIONS (SET password 'secret word')`,
        'USER MAPPING USER MAPPING stock keeper SERVER far',
        'its definition differs; it may hold a password and is not shown',
      ],
    ]);
  });

  test('settings, privileges and comment of the database are found, each by its name', async () => {
    await expectFound([
      [
        `ALTER DATABASE shop_restored SET work_mem = '8MB'`,
        `ALTER DATABASE shop_restored SET work_mem = '7MB'`,
        'setting work_mem',
        'it is "8MB", the source had "7MB"',
      ],
      [
        `ALTER ROLE "stock keeper" IN DATABASE shop_restored RESET lock_timeout`,
        `ALTER ROLE "stock keeper" IN DATABASE shop_restored SET lock_timeout = '7s'`,
        'setting lock_timeout of role stock keeper',
        'it is not set, the source had "7s"',
      ],
      [
        `REVOKE TEMPORARY ON DATABASE shop_restored FROM PUBLIC`,
        `GRANT TEMPORARY ON DATABASE shop_restored TO PUBLIC`,
        'database privileges',
        'the restored database lacks: TEMPORARY for PUBLIC',
      ],
      [
        `COMMENT ON DATABASE shop_restored IS 'buys things'`,
        `COMMENT ON DATABASE shop_restored IS 'sells things'`,
        'database comment',
        'it is "buys things", the source had "sells things"',
      ],
      [
        'ALTER DATABASE shop_restored CONNECTION LIMIT 3',
        'ALTER DATABASE shop_restored CONNECTION LIMIT -1',
        'database connectionLimit',
        'it is 3, the source had -1',
      ],
    ]);
  });

  test('a large object is found when its content, its owner or its existence differ', async () => {
    const [row] = await server.query(pair.restored.database, 'SELECT oid FROM pg_largeobject_metadata');
    const oid = String(row!['oid']);
    const [owner] = await server.query('postgres', 'SELECT current_user AS name');
    const changed = await findingsAfter(`SELECT lo_put(${oid}, 1500, '\\x01')`, `SELECT lo_put(${oid}, 1500, '\\x00')`);
    expect(changed).toEqual([
      { object: `large object ${oid}`, message: 'its content, owner, privileges or comment differ from the backup' },
    ]);
    const given = await findingsAfter(
      `ALTER LARGE OBJECT ${oid} OWNER TO "stock keeper"`,
      `ALTER LARGE OBJECT ${oid} OWNER TO "${String(owner!['name'])}"`,
    );
    expect(given[0]!.object).toBe(`large object ${oid}`);
    const removed = await findingsAfter(
      `SELECT lo_unlink(${oid})`,
      `SELECT lo_from_bytea(${oid}, decode(repeat('00ff', 1000), 'hex'))`,
    );
    expect(removed).toEqual([
      { object: 'large objects', message: 'there are 0, the source had 1' },
      { object: `large object ${oid}`, message: 'it is missing' },
    ]);
  });

  test('a materialized view that is not populated is found by the check of its health', async () => {
    await run('REFRESH MATERIALIZED VIEW totals WITH NO DATA');
    const result = await pair.health();
    await run('REFRESH MATERIALIZED VIEW totals');
    expect(result).toMatchObject({
      verdict: 'failed',
      findings: [{ object: 'materialized view public.totals', message: 'it is not populated: it cannot be read' }],
    });
  });

  test('an index that is not valid is found by the check of its health', async () => {
    const mark = (valid: boolean) =>
      run(`UPDATE pg_index SET indisvalid = ${valid} WHERE indexrelid = 'orders_by_customer'::regclass`);
    await mark(false);
    const result = await pair.health();
    await mark(true);
    expect(result.verdict).toBe('failed');
    expect(result.findings[0]).toMatchObject({ object: 'index public.orders_by_customer' });
  });

  test('what cannot be compared is inconclusive, never passed', async () => {
    const { verdict, findings } = await pair.equality({
      programs: { ...server.programs, path: () => '/bin/false' },
    });
    expect(verdict).toBe('inconclusive');
    expect(findings[0]).toMatchObject({ object: 'definitions', message: expect.stringContaining('could not be compared') });
  });

  test('a table that was not looked at, or has a problem, is never equal', async () => {
    const { verdict, tables } = await pair.equality({ digests: [] });
    expect(verdict).toBe('failed');
    expect(tables.some(({ equal }) => equal)).toBe(false);
  });
});

describe('digests', () => {
  test('are the same with one worker as with four, and stop when they are aborted', async () => {
    const { manifest } = pair.source;
    const options = { connection: pair.restored, tables: manifest.tables, signal: new AbortController().signal };
    const one = await digestTables({ ...options, workers: 1 });
    expect(await digestTables({ ...options, workers: 4 })).toEqual(one);
    const abort = new AbortController();
    const aborted = digestTables({ ...options, workers: 2, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
  });
});

/** Runs a command of a finding in a folder that holds the dump. */
async function inBackup(command: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'see-it-'));
  try {
    const { copies, key, manifest } = pair.source;
    writeFileSync(join(folder, manifest.file.name), await buffer(copies[0]!.get(key)));
    return execFileSync('bash', ['-c', command], { cwd: folder, encoding: 'utf8' });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
