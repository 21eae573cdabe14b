import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { libpqEnvironment } from '../../../src/postgres/connection.ts';
import { pipeToPsql, startTestServer, withDump, type TestServer } from '../../support/dump-to-file.ts';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(async () => {
  await server.stop();
});

async function create(name: string, encoding: string): Promise<void> {
  await server.sql('postgres', `CREATE DATABASE "${name}" TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`);
}

/** psql and pg_dump in the database's own encoding: the driver could not hold bytes that are not UTF-8. */
async function run(program: 'psql' | 'pg_dump', database: string, args: string[]): Promise<string> {
  const env = { ...libpqEnvironment(server.database(database)), PATH: process.env['PATH']! };
  const { stdout } = await promisify(execFile)(server.programs.path(program), args, { env, encoding: 'latin1' });
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

describe.each(['gzip', 'zstd'] as const)('in %s', (codec) => {
  test('a LATIN1 database with names and values of its own keeps every byte', async () => {
    const [name, copy] = [`latin_${codec}`, `latin_copy_${codec}`];
    await create(name, 'LATIN1');
    await server.sql(
      name,
      `CREATE SCHEMA "été"; CREATE TABLE "été"."Straße ""x"" $1" (id int, "größe" text); CREATE SEQUENCE "été"."zähler" START 7;
       INSERT INTO "été"."Straße ""x"" $1" VALUES (1, 'naïve'), (2, chr(233)); CREATE TABLE "été"."plain" (v text);
       INSERT INTO "été".plain VALUES ('ÿ'); SELECT nextval('"été"."zähler"')`,
    );
    await withDump(server, server.database(name), { codec }, async ({ result, path }) => {
      expect(result.tables.map((table) => [table.schema, table.name, table.columns, table.rows])).toEqual([
        ['été', 'Straße "x" $1', ['id', 'größe'], 2],
        ['été', 'plain', ['v'], 1],
      ]);
      expect(result.sequences).toEqual([{ schema: 'été', name: 'zähler', lastValue: '7', isCalled: true }]);
      await create(copy, 'LATIN1');
      await pipeToPsql(server, path, copy);
      expect(await run('pg_dump', copy, [])).toBe(await run('pg_dump', name, []));
    });
  });

  test('a SQL_ASCII database keeps bytes that are no text in any encoding; odd names stay with pg_dump', async () => {
    const [name, copy] = [`ascii_${codec}`, `ascii_copy_${codec}`];
    await create(name, 'SQL_ASCII');
    await run('psql', name, [
      '-c',
      String.raw`CREATE TABLE plain (v text); INSERT INTO plain VALUES (E'\xff\xfe\x80raw'), ('ascii')`,
      '-c',
      String.raw`DO $$ BEGIN EXECUTE format('CREATE TABLE %I (v text)', E'b\xe9b\xff'); EXECUTE format('INSERT INTO %I VALUES (E''\\xe9'')', E'b\xe9b\xff'); END $$`,
    ]);
    await withDump(server, server.database(name), { codec }, async ({ result, path }) => {
      expect(result.tables.map((table) => [table.name, table.rows])).toEqual([['plain', 2]]);
      await create(copy, 'SQL_ASCII');
      await pipeToPsql(server, path, copy);
      const dumped = await run('pg_dump', copy, []);
      expect(dumped).toBe(await run('pg_dump', name, []));
      expect(dumped).toContain('ÿþ\u0080raw');
      expect(dumped).toContain('COPY public."bébÿ"');
    });
  });
});

test('a table left to pg_dump that is truncated between snapshot and lock is noticed', async () => {
  await create('odd_names', 'SQL_ASCII');
  const table = String.raw`E'b\xe9b'`;
  await run('psql', 'odd_names', ['-c', `DO $$ BEGIN EXECUTE format('CREATE TABLE %I AS SELECT 1 AS v', ${table}); END $$`]);
  const truncate = String.raw`DO $$ BEGIN EXECUTE format('TRUNCATE %I', E'b\xe9b'); END $$`;
  const hooks = {
    afterSnapshot: async () => {
      await run('psql', 'odd_names', ['-c', truncate]);
    },
  };
  const dump = withDump(server, server.database('odd_names'), { hooks }, () => Promise.resolve());
  await expect(dump).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
});
