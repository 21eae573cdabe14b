import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { blocksOf } from '../../support/documents.ts';
import { restoreWithPsql, startTestServer, withDump, type TestServer } from '../../support/dump-to-file.ts';

let server: TestServer;

/** The role's SQL as the documentation gives it, with the database's name put in. */
async function documentedRole(database: string): Promise<string> {
  const [block] = await blocksOf('docs/least-privilege.md', 'sql');
  return block!.replaceAll('shop', database);
}

beforeAll(async () => {
  server = await startTestServer();
  await server.sql('postgres', 'CREATE DATABASE app');
  await server.sql(
    'app',
    `CREATE ROLE app_owner; CREATE SCHEMA sales;
     CREATE TABLE sales.orders (id serial PRIMARY KEY, note text); INSERT INTO sales.orders (note) VALUES ('a'), ('b');
     CREATE TABLE sales.secret (id int, owner name DEFAULT current_user); INSERT INTO sales.secret VALUES (1), (2);
     ALTER TABLE sales.secret ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON sales.secret USING (owner = current_user);
     ALTER TABLE sales.orders OWNER TO app_owner;
     CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE USER MAPPING FOR app_owner SERVER files;
     CREATE SUBSCRIPTION feed CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);`,
  );
  await server.sql('postgres', await documentedRole('app'));
});

afterAll(async () => {
  await server.sql(
    'app',
    'ALTER SUBSCRIPTION feed DISABLE; ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed',
  );
  await server.stop();
});

const asBackup = () => server.database('app', 'backup');

describe('a role with the documented privileges', () => {
  test('dumps what it may read; the rest makes the dump incomplete and is named', async () => {
    await server.sql('app', "SELECT lo_from_bytea(4711, 'not for you')");
    await withDump(server, asBackup(), {}, async ({ result, path }) => {
      expect(result.outcome).toBe('incomplete');
      expect(result.omitted).toEqual([
        { kind: 'rows', object: 'sales.secret', reason: expect.stringContaining('row-level security') as unknown },
        { kind: 'large-objects', object: 'large objects', reason: expect.stringContaining('1 of 1') as unknown },
        {
          kind: 'object',
          object: 'user mapping for app_owner on server files',
          reason: expect.stringContaining('options') as unknown,
        },
        { kind: 'object', object: expect.stringContaining('subscriptions not dumped') as unknown, reason: 'pg_dump left it out' },
      ]);
      expect(result.tables.map(({ name, rows }) => [name, rows])).toEqual([['orders', 2]]);
      expect(result.sequences).toEqual([{ schema: 'sales', name: 'orders_id_seq', lastValue: '2', isCalled: true }]);
      await restoreWithPsql(server, path, 'app_restored');
      expect(await server.sql('app_restored', 'SELECT * FROM sales.orders ORDER BY id')).toEqual([
        { id: 1, note: 'a' },
        { id: 2, note: 'b' },
      ]);
      expect(await server.sql('app_restored', 'SELECT * FROM sales.secret')).toEqual([]);
    });
    await server.sql('app', 'SELECT lo_unlink(4711)');
  });

  test('with BYPASSRLS and nothing else in the way only what is for superusers is missing', async () => {
    await server.sql('postgres', 'ALTER ROLE backup BYPASSRLS');
    await withDump(server, asBackup(), {}, ({ result }) => {
      expect(result.omitted.map(({ kind }) => kind)).toEqual(['object', 'object']);
      expect(result.tables.map(({ name, rows }) => [name, rows])).toEqual([
        ['orders', 2],
        ['secret', 2],
      ]);
      return Promise.resolve();
    });
    await server.sql('postgres', 'ALTER ROLE backup NOBYPASSRLS');
  });

  test('a superuser leaves nothing out', async () => {
    await withDump(server, server.database('app'), {}, ({ result }) => {
      expect({ outcome: result.outcome, omitted: result.omitted }).toEqual({ outcome: 'complete', omitted: [] });
      return Promise.resolve();
    });
  });
});

describe('the roles that a restore needs', () => {
  test('are those that own or were granted something; the bootstrap superuser is one only then', async () => {
    await server.sql('postgres', 'CREATE ROLE tenant LOGIN');
    await server.sql('postgres', 'CREATE DATABASE rented OWNER tenant');
    await server.sql(
      'rented',
      `CREATE EXTENSION citext; SET ROLE tenant; CREATE SCHEMA own; CREATE TYPE own.mood AS ENUM ('sad');
       CREATE TABLE own.t (id serial PRIMARY KEY, c public.citext, m own.mood[]); CREATE VIEW own.v AS SELECT * FROM own.t`,
    );
    const rolesOf = async (): Promise<readonly string[]> =>
      await withDump(server, server.database('rented'), {}, ({ result }) => Promise.resolve(result.requires.roles));
    const superuser = server.connection.user;
    expect(await rolesOf()).toEqual(['tenant']);
    await server.sql('rented', `GRANT SELECT ON own.v TO "${superuser}"`);
    expect(await rolesOf()).toEqual(['tenant', superuser]);
    await server.sql('rented', `REVOKE SELECT ON own.v FROM "${superuser}"; ALTER VIEW own.v OWNER TO "${superuser}"`);
    expect(await rolesOf()).toEqual(['tenant', superuser]);
  });
});

describe('a role that may not read a table', () => {
  test('is refused, with the names of the tables, before anything is written', async () => {
    await server.sql('postgres', 'CREATE ROLE blind LOGIN');
    await server.sql('app', 'GRANT USAGE ON SCHEMA sales TO blind; GRANT SELECT ON sales.secret TO blind');
    const dump = withDump(server, server.database('app', 'blind'), {}, () => Promise.resolve());
    await expect(dump).rejects.toMatchObject({
      code: 'SOURCE_PRIVILEGE',
      message: 'the role may not read sales.orders: no backup was made.',
      hint: expect.stringContaining('pg_read_all_data') as unknown,
    });
  });
});
