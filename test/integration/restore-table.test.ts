import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { BackupError } from '../../src/errors.ts';
import { openBackup, type BackupSource } from '../../src/restore/backup-source.ts';
import type { RestoreResult } from '../../src/restore/restore.ts';
import { restoreTable, type RestoreTableOptions } from '../../src/restore/restore-table.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import type { ByteRange, Storage } from '../../src/storage/storage.ts';
import { makeBackup } from '../support/make-backup.ts';
import { quietContext } from '../support/restore-context.ts';
import { dropDatabases, startShopServer, type ShopServer } from '../support/shop-server.ts';

let server: ShopServer;
let source: BackupSource;
let temporaryFolder: string;
const store = createMemoryStorage({ name: 'store' });
const reads: ByteRange[] = [];
const watched: Storage = {
  ...store,
  get(key, range, signal) {
    if (key === source.key) reads.push(range ?? { offset: 0 });
    return store.get(key, range, signal);
  },
};
const ORDERS = { schema: 'public', name: 'orders' };

beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'restore-table-test-'));
  server = await startShopServer();
  const { key } = await makeBackup(server.shop, server.programs, [store]);
  source = { ...(await openBackup([store], key)), copies: [watched] };
});

afterAll(async () => {
  await server.server.stop();
  await rm(temporaryFolder, { recursive: true });
});

beforeEach(async () => {
  reads.length = 0;
  await server.query('postgres', 'CREATE DATABASE other TEMPLATE shop');
});
afterEach(async () => await dropDatabases(server));

async function restore(options: Partial<RestoreTableOptions> = {}, from: BackupSource = source): Promise<RestoreResult> {
  const input = { source: from, connection: server.server.connection, programs: server.programs, temporaryFolder };
  return await restoreTable(input, { database: 'other', table: ORDERS, ...options }, quietContext());
}

async function same(table: string, as = table): Promise<void> {
  const text = (name: string): string =>
    `SELECT count(*)::int AS n, md5(string_agg(t::text, '|' ORDER BY t::text)) AS hash FROM ${name} t`;
  expect(await server.query('other', text(as))).toEqual(await server.query('shop', text(table)));
}

describe('one table', () => {
  test('is loaded into the empty table of its name, by its members alone', async () => {
    await server.query('other', 'ALTER TABLE orders DISABLE TRIGGER no_notes; TRUNCATE orders');
    const result = await restore();
    expect(result).toMatchObject({ tables: 1, rows: 20_000, proof: 'checksums' });
    await same('orders');
    const read = reads.reduce((sum, { length }) => sum + length!, 0);
    const table = source.manifest.tables.findIndex(({ name }) => name === 'orders');
    expect(read).toBe(
      source.manifest.members.filter((member) => member.table === table).reduce((sum, { length }) => sum + length, 0),
    );
  });

  test('is refused while the table has rows, unless they are to be added', async () => {
    await server.query('other', 'DELETE FROM orders WHERE id > 5');
    await expect(restore()).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      message: expect.stringContaining('public.orders has rows'),
    });
    await server.query('other', 'ALTER TABLE orders DROP CONSTRAINT orders_pkey');
    expect((await restore({ append: true })).rows).toBe(20_000);
    expect(await server.query('other', 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 20_005 }]);
  });

  test('is made from the backup when it is gone, and what it lacks is said', async () => {
    await server.query('other', 'DROP TABLE orders CASCADE');
    const result = await restore();
    expect(result.warnings.join()).toContain('Sequences, indexes, keys, triggers');
    await same('orders');
  });

  test('is restored beside the present one under another name', async () => {
    await server.query('other', `UPDATE orders SET note = 'spoilt'; CREATE SCHEMA old`);
    await restore({ as: { schema: 'old', name: 'Orders "before"' } });
    await same('orders', `old."Orders ""before"""`);
    await restore({ table: { schema: 'odd "schema"', name: 'Tab.le, with "quotes"' }, as: { schema: 'old', name: 't' } });
    await same(`"odd ""schema"""."Tab.le, with ""quotes"""`, 'old.t');
  });

  test('that is partitioned gets the rows of all its partitions', async () => {
    await server.query(
      'other',
      `TRUNCATE keyed, events; DROP TABLE events_high; CREATE TABLE the_rest PARTITION OF events DEFAULT; CREATE SCHEMA old`,
    );
    expect((await restore({ table: { schema: 'public', name: 'keyed' } })).rows).toBe(1_000);
    await same('keyed');
    const events = { schema: 'public', name: 'events' };
    expect((await restore({ table: events })).rows).toBe(5_000);
    await same('events');
    expect((await restore({ table: events, as: { schema: 'old', name: 'events' } })).rows).toBe(5_000);
    await same('events', 'old.events');
  });

  test('that is partitioned and gone is not made', async () => {
    await server.query('other', 'DROP TABLE events');
    await expect(restore({ table: { schema: 'public', name: 'events' } })).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      message: expect.stringContaining('partitioned'),
    });
  });

  test('of a manifest that does not name the partitions is restored one by one, through the partitioned one', async () => {
    await server.query('other', 'TRUNCATE keyed');
    const keyed = { schema: 'public', name: 'keyed' };
    const tables = source.manifest.tables.map(({ partitionOf: _, ...table }) => table);
    const older = { ...source, manifest: { ...source.manifest, tables } };
    await expect(restore({ table: keyed }, older)).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      hint: expect.stringMatching(/--table public\.keyed_\d+ --as public\.keyed --append/),
    });
    let rows = 0;
    for (const name of ['keyed_0', 'keyed_1'])
      rows += (await restore({ table: { schema: 'public', name }, as: keyed, append: true }, older)).rows;
    expect(rows).toBe(1_000);
    await same('keyed');
  });

  test('says that a table it made is still there when it cannot be dropped again', async () => {
    await server.query('other', 'CREATE SCHEMA old');
    const failing: Storage = {
      ...store,
      async *get() {
        await server.query('other', 'CREATE VIEW in_the_way AS SELECT 1 AS one FROM old.orders');
        yield Buffer.alloc(0);
        throw new BackupError('STORAGE_FAILED', 'the storage is gone.');
      },
    };
    const broken = { ...source, copies: [failing] };
    await expect(restore({ as: { schema: 'old', name: 'orders' } }, broken)).rejects.toMatchObject({
      message: expect.stringMatching(/old\.orders that was made for it is still there.*depend/s),
      hint: expect.stringContaining('DROP TABLE IF EXISTS "old"."orders"'),
    });
    expect(await server.query('other', 'SELECT count(*)::int AS n FROM old.orders')).toEqual([{ n: 0 }]);
  });

  test('leaves nothing behind when a row is refused', async () => {
    await server.query(
      'other',
      `ALTER TABLE orders DISABLE TRIGGER no_notes; TRUNCATE orders; ALTER TABLE orders ADD CHECK (id < 19000)`,
    );
    await expect(restore()).rejects.toMatchObject({ code: 'RESTORE_FAILED', message: expect.stringContaining('orders') });
    expect(await server.query('other', 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 0 }]);
  });

  test('that the backup does not have is refused with the names that are like it', async () => {
    await expect(restore({ table: { schema: 'sales', name: 'orders' } })).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      hint: expect.stringContaining('public.orders'),
    });
  });
});
