import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { readObject } from '../../src/catalog/catalog.ts';
import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { restoreForeign } from '../../src/restore/foreign-archive.ts';
import type { RestoreOptions, RestoreResult } from '../../src/restore/restore.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import { makeBackup } from '../support/make-backup.ts';
import { quietContext } from '../support/restore-context.ts';
import { createNested, joiningSessions } from '../support/nested-partitions.ts';
import { dropDatabases, startShopServer, type ShopServer } from '../support/shop-server.ts';

let server: ShopServer;
let folder: string;
let sql: Buffer;
const STANDING = ['postgres', 'shop', 'template0', 'template1'];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restore-foreign-test-'));
  server = await startShopServer();
  await dump('plain.sql');
  sql = await readFile(join(folder, 'plain.sql'));
});

afterAll(async () => {
  await server.server.stop();
  await rm(folder, { recursive: true });
});

afterEach(async () => await dropDatabases(server));

async function dump(name: string, ...args: string[]): Promise<string> {
  const path = join(folder, name);
  await runProgram(server.programs.path('pg_dump'), ['-f', path, ...args], { env: libpqEnvironment(server.shop) });
  return path;
}

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function restore(path: string, options: Partial<RestoreOptions> = {}): Promise<RestoreResult> {
  const input = { path, connection: server.server.connection, programs: server.programs, temporaryFolder: folder };
  return await restoreForeign(input, { database: 'restored', loaders: 2, ...options }, quietContext());
}

describe('a dump that something else made', () => {
  test.each(['custom', 'directory', 'tar'] as const)(
    'restores from an archive of pg_dump, %s format, named as unproven',
    async (format) => {
      const result = await restore(await dump(`archive.${format}`, '-F', format));
      expect(result).toMatchObject({ proof: 'none', database: 'restored' });
      expect(result.warnings.join()).toContain('nothing is proven');
      expect(await server.dumpOf('restored')).toBe(await server.dumpOf('shop'));
    },
  );

  test('joins the indexes of partitions of partitions one after the other, and leaves no list behind', async () => {
    await createNested(server);
    await restore(await dump('nested.dir', '-F', 'directory', '-d', 'nested'), { loaders: 8, analyze: false });
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('nested'));
    const sessions = await joiningSessions(server);
    expect(sessions.length).toBeGreaterThan(180);
    expect(new Set(sessions).size).toBe(1);
    expect((await readdir(folder)).filter((name) => name.startsWith('db-backup-restore-'))).toEqual([]);
  });

  test('restores from SQL, plain, gzip of several members and zstd of several frames', async () => {
    const expected = await server.dumpOf('shop');
    const half = Math.floor(sql.length / 2);
    const [first, second] = [sql.subarray(0, half), sql.subarray(half)];
    const paths = [
      await file('shop.sql', sql),
      await file('shop.sql.gz', Buffer.concat([gzipSync(first), gzipSync(second)])),
      await file('shop.sql.zst', Buffer.concat([zstdCompressSync(first), zstdCompressSync(second)])),
    ];
    for (const path of paths) {
      await restore(path);
      expect(await server.dumpOf('restored')).toBe(expected);
      await dropDatabases(server);
    }
  });

  test('may be one of our own whose manifest is lost', async () => {
    const store = createMemoryStorage({ name: 'store' });
    for (const codec of ['gzip', 'zstd'] as const) {
      const { key } = await makeBackup(server.shop, server.programs, [store], { codec });
      const bytes = await readObject(store, key);
      await restore(await file(`ours.${codec}`, bytes));
      expect(await server.dumpOf('restored')).toBe(await server.dumpOf('shop'));
      await dropDatabases(server);
    }
  });

  test.each<[string, () => Uint8Array | string, string]>([
    ['cut off in mid-stream', () => gzipSync(sql).subarray(0, -100), 'BACKUP_DAMAGED'],
    ['cut off at a line end', () => sql.subarray(0, sql.lastIndexOf('\n', sql.length - 2000) + 1), 'BACKUP_DAMAGED'],
    ['damaged', () => damaged(gzipSync(sql)), 'BACKUP_DAMAGED'],
    ['zstd, cut off', () => zstdCompressSync(sql).subarray(0, -100), 'BACKUP_DAMAGED'],
    ['empty', () => Buffer.alloc(0), 'BACKUP_FORMAT'],
    ['a picture', () => Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'BACKUP_FORMAT'],
    ['an error page', () => Buffer.from('<html><body>404</body></html>'), 'BACKUP_FORMAT'],
    ['a gzip of an archive', () => gzipSync(Buffer.from('PGDMP\x01\x0e')), 'BACKUP_FORMAT'],
    ['one with an error in it', () => 'CREATE TABLE a ();\nCREATE TABEL b ();\nCREATE TABLE c ();\n', 'RESTORE_FAILED'],
    ['one that goes to another database', () => `CREATE TABLE a ();\n\\connect shop\nDROP TABLE orders;\n`, 'RESTORE_REFUSED'],
  ])('is refused when it is %s, and no database is left', async (name, content, code) => {
    await expect(restore(await file(`bad ${name}`, content()))).rejects.toMatchObject({ code });
    expect(await server.databases()).toEqual(STANDING);
    expect(await server.query('shop', 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 20_000 }]);
  });

  test('is refused before anything of it ran when pg_dumpall -c made it, however long its header is', async () => {
    const path = join(folder, 'cluster.sql');
    await server.query('postgres', 'CREATE DATABASE live');
    await runProgram(server.programs.path('pg_dumpall'), ['-c', '-f', path], { env: libpqEnvironment(server.shop) });
    const cluster = await readFile(path, 'utf8');
    expect(cluster).toContain('\nDROP DATABASE live;');
    // More than psql is given at once, so that the beginning has run when the end is read.
    const filler = `-- ${'roles '.repeat(20)}\n`.repeat(40_000);
    const anonymous = cluster.replaceAll('-- PostgreSQL database cluster dump', '--');
    const scripts = [
      cluster.replace('DROP DATABASE', () => `${filler}DROP DATABASE`),
      anonymous.replace('\\connect', () => `${filler}\\connect`),
      filler + anonymous.slice(anonymous.indexOf('\\connect')),
    ];
    for (const [index, script] of scripts.entries()) {
      for (const bytes of [Buffer.from(script), gzipSync(script), zstdCompressSync(script)]) {
        await expect(restore(await file(`cluster ${index}`, bytes))).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
        expect(await server.databases()).toEqual(['live', ...STANDING]);
      }
    }
  });

  test.each(['DROP DATABASE live;', 'alter database live RENAME TO lost;', '\\connect live', '\\c live'])(
    'is refused wherever the pieces it is read in end in %s',
    async (command) => {
      await server.query('postgres', 'CREATE DATABASE live');
      for (const before of [-20, -9, -1, 0]) {
        const script = `-- ${'x'.repeat(1024 * 1024 - 4 + before)}\n${command}\nDROP TABLE none;\n`;
        await expect(restore(await file('pieces.sql', script))).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
        expect(await server.databases()).toEqual(['live', ...STANDING]);
      }
    },
  );

  test('is refused when a quoted text makes what follows look like rows', async () => {
    await server.query('postgres', 'CREATE DATABASE live');
    const copy = 'COPY public.t (a) FROM stdin;';
    const bodies = [
      `CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT $$it's\n${copy}\n$$ $body$;`,
      `COMMENT ON DATABASE restored IS 'it''s\n${copy}\n';`,
      `COMMENT ON DATABASE restored IS E'it\\'s\n${copy}\n';`,
      `/* a /* nested */ '\n${copy}\n*/`,
      `CREATE TABLE "it's\n${copy}\n" ();`,
      `SET standard_conforming_strings = off;\nCOMMENT ON DATABASE restored IS 'it\\'s\n${copy}\n';`,
    ];
    for (const body of bodies) {
      const script = `CREATE TABLE t (a text);\n-- it's\n${copy}\nit's a row with $$ and /*\n\\.\n${body}\nDROP DATABASE live;\n`;
      await expect(restore(await file('quoted.sql', script))).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
      expect(await server.databases()).toEqual(['live', ...STANDING]);
    }
  });

  test('restores rows that read like commands', async () => {
    const text = `DROP DATABASE shop;\n\\connect shop\n-- PostgreSQL database cluster dump\n\\.\n`;
    await server.query('postgres', 'CREATE DATABASE quoting TEMPLATE shop');
    const rows = [...text.split('\n'), text, `${text}${'long '.repeat(700_000)}`];
    await server.query('quoting', 'CREATE TABLE lines (line text)');
    for (const row of rows) await server.query('quoting', `INSERT INTO lines VALUES ($row$${row}$row$)`);
    const path = join(folder, 'quoting.sql');
    await runProgram(server.programs.path('pg_dump'), ['-f', path], {
      env: { ...libpqEnvironment(server.shop), PGDATABASE: 'quoting' },
    });
    await restore(path);
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('quoting'));
  });

  test('is refused when the archive is damaged, the folder is none of pg_dump, or there is no file', async () => {
    const archive = await dump('damaged.custom', '-F', 'custom');
    await writeFile(archive, damaged(await readFile(archive)));
    await expect(restore(archive)).rejects.toMatchObject({ code: 'RESTORE_FAILED' });
    await mkdir(join(folder, 'just a folder'));
    await expect(restore(join(folder, 'just a folder'))).rejects.toMatchObject({ code: 'BACKUP_FORMAT' });
    await expect(restore(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
    expect(await server.databases()).toEqual(STANDING);
  });

  test('does not replace what is there', async () => {
    await server.query('postgres', 'CREATE DATABASE restored');
    await server.query('restored', 'CREATE TABLE mine ()');
    await expect(restore(await file('again.sql', sql))).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
  });
});

function damaged(bytes: Uint8Array): Buffer {
  const copy: Buffer = Buffer.from(bytes);
  for (let at = Math.floor(copy.length / 2); at < Math.floor(copy.length / 2) + 50; at += 1) copy[at] = 0x55;
  return copy;
}
