import { mkdtemp, readdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg, { type Client } from 'pg';

import { SIDE } from '../../src/catalog/names.ts';
import { reachServer } from '../../src/cli/reach-server.ts';
import { withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { openBackup, type BackupSource } from '../../src/restore/backup-source.ts';
import { restoreBackup, type RestoreInput, type RestoreOptions, type RestoreResult } from '../../src/restore/restore.ts';
import { NO_CHOICE } from '../../src/restore/extension-choice.ts';
import { checkServer } from '../../src/restore/server-check.ts';
import { endSessions } from '../../src/restore/drop-database.ts';
import { nameDatabase, swapDatabases } from '../../src/restore/swap-databases.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import { makeBackup, putBytes } from '../support/make-backup.ts';
import { createNested, joiningSessions } from '../support/nested-partitions.ts';
import { quietContext } from '../support/restore-context.ts';
import { dropDatabases, startShopServer, type ShopServer } from '../support/shop-server.ts';

let server: ShopServer;
let source: BackupSource;
let temporaryFolder: string;
const store = createMemoryStorage({ name: 'store' });

beforeAll(async () => {
  temporaryFolder = await mkdtemp(join(tmpdir(), 'restore-test-'));
  server = await startShopServer({ autovacuum: 'on', autovacuum_naptime: '1s', max_prepared_transactions: '2' });
  const { key } = await makeBackup(server.shop, server.programs, [store]);
  source = await openBackup([store], key);
});

afterAll(async () => {
  await server.server.stop();
  await rm(temporaryFolder, { recursive: true });
});

afterEach(async () => {
  await dropDatabases(server);
  expect(await readdir(temporaryFolder)).toEqual([]);
});

function input(from: BackupSource = source): RestoreInput {
  return { source: from, connection: server.server.connection, programs: server.programs, temporaryFolder };
}

async function restore(options: Partial<RestoreOptions> = {}, from: BackupSource = source): Promise<RestoreResult> {
  return await restoreBackup(input(from), { database: 'restored', loaders: 2, ...options }, quietContext());
}

describe('a restore into a new name', () => {
  test('gives the database that was backed up', async () => {
    const result = await restore();
    expect(result).toMatchObject({ database: 'restored', proof: 'checksums', warnings: [] });
    expect(result.rows).toBe(300 + 20_000 + 5_000 + 1_000 + 1 + 3);
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('shop'));
  });

  test('gives the same from a zstd dump, with one loader and with four', async () => {
    const { key } = await makeBackup(server.shop, server.programs, [store], { codec: 'zstd', workers: 1 });
    const zstd = await openBackup([store], key);
    const expected = await server.dumpOf('shop');
    await restore({ database: 'one', loaders: 1 }, zstd);
    expect(await server.dumpOf('one')).toBe(expected);
    await restore({ database: 'four', loaders: 4 }, zstd);
    expect(await server.dumpOf('four')).toBe(expected);
  });

  test('gives the same from the SQL alone when the .toc archive is lost, and says so', async () => {
    const without = createMemoryStorage({ name: 'without' });
    const { key } = await makeBackup(server.shop, server.programs, [without]);
    await without.remove(key + SIDE.toc);
    const result = await restore({}, await openBackup([without], key));
    expect(result.warnings.join()).toContain('.toc');
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('shop'));
  });

  test('joins the indexes of partitions of partitions one after the other, with several loaders', async () => {
    await createNested(server);
    const { key } = await makeBackup({ ...server.shop, database: 'nested' }, server.programs, [store]);
    await restore({ loaders: 8, analyze: false }, await openBackup([store], key));
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('nested'));
    const sessions = await joiningSessions(server);
    expect(sessions.length).toBeGreaterThan(180);
    expect(new Set(sessions).size).toBe(1);
  });

  test('leaves statistics behind for the planner', async () => {
    await restore();
    const [row] = await server.query('restored', `SELECT count(*)::int AS count FROM pg_stats WHERE tablename = 'orders'`);
    expect(row!['count']).toBeGreaterThan(0);
  });

  test('shows the name only when all is done, and reports progress', async () => {
    const seen: string[] = [];
    const looks: Promise<string[]>[] = [];
    const context = quietContext({
      onProgress: ({ phase }) => {
        if (seen.includes(phase)) return;
        seen.push(phase);
        looks.push(server.databases());
      },
    });
    await restoreBackup(input(), { database: 'restored', loaders: 2 }, context);
    expect(seen).toEqual([
      'preflight',
      'create database',
      'definitions',
      'rows',
      'indexes and constraints',
      'statistics',
      'name database',
    ]);
    const during = await Promise.all(looks.slice(0, -1));
    expect(during.flat()).not.toContain('restored');
    expect(await server.databases()).toContain('restored');
  });

  test('brings back owner, privileges, settings, comment and limit of the database', async () => {
    for (const statement of [
      'CREATE ROLE "shop owner"',
      'CREATE ROLE reader',
      `CREATE DATABASE full_of_properties OWNER "shop owner" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`,
      `ALTER DATABASE full_of_properties SET search_path = "$user", 'odd, name', public`,
      'ALTER DATABASE full_of_properties SET default_transaction_read_only = on',
      `ALTER ROLE reader IN DATABASE full_of_properties SET work_mem = '64MB'`,
      'ALTER DATABASE full_of_properties CONNECTION LIMIT 7',
      'REVOKE ALL ON DATABASE full_of_properties FROM PUBLIC',
      'GRANT CONNECT ON DATABASE full_of_properties TO reader WITH GRANT OPTION',
      `COMMENT ON DATABASE full_of_properties IS 'it''s full'`,
    ]) {
      await server.query('postgres', statement);
    }
    const connection = { ...server.shop, database: 'full_of_properties' };
    await server.query(
      'full_of_properties',
      `SET TRANSACTION READ WRITE; CREATE TABLE public.umlauts (t text); INSERT INTO public.umlauts VALUES ('Käse');`,
    );
    const { key } = await makeBackup(connection, server.programs, [store]);
    await restore({ database: 'again' }, await openBackup([store], key));
    const properties = `SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate, datacl::text, datconnlimit,
        shobj_description(d.oid, 'pg_database') AS comment,
        (SELECT array_agg(setrole::regrole || ' ' || setconfig::text ORDER BY 1) FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings
      FROM pg_database d WHERE datname = `;
    const [expected] = await server.query('postgres', `${properties} 'full_of_properties'`);
    const [found] = await server.query('postgres', `${properties} 'again'`);
    expect(found).toEqual(expected);
    expect(found).toMatchObject({ owner: 'shop owner', encoding: 'LATIN1', datconnlimit: 7 });
    expect(await server.query('again', 'SELECT t FROM public.umlauts')).toEqual([{ t: 'Käse' }]);
  });

  test.each([
    '"; DROP DATABASE shop; --',
    ' spaces and\ttabs ',
    '../../etc',
    "it's",
    'dbname=postgres host=nowhere',
    'postgresql://nowhere/x',
    'Ünïcode "quoted"',
    '-x',
    'back\\slash',
  ])('takes %j for a name and nothing more', async (database) => {
    await restore({ database });
    expect(await server.databases()).toEqual(
      ['postgres', 'shop', 'template0', 'template1', database].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(await server.query(database, 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 20_000 }]);
  });

  test.each(['', 'x'.repeat(64), 'line\nbreak', 'template1'])(
    'refuses the name %j before anything is written',
    async (database) => {
      await expect(restore({ database })).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
    },
  );
});

describe('a database that exists', () => {
  test('is refused when it holds anything, and not touched', async () => {
    await server.query('postgres', 'CREATE DATABASE busy');
    await server.query('busy', 'CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
    await expect(restore({ database: 'busy' })).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      message: expect.stringContaining('function one()'),
      hint: expect.stringContaining('--replace'),
    });
    expect(await server.query('busy', 'SELECT one()')).toEqual([{ one: 1 }]);
  });

  test.each([
    `CREATE COLLATION mine FROM "C"`,
    'CREATE TEXT SEARCH CONFIGURATION mine (COPY = simple)',
    'CREATE OPERATOR === (FUNCTION = int4eq, LEFTARG = int4, RIGHTARG = int4)',
    'CREATE CAST (int4 AS point) WITH INOUT',
    'ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
  ])('counts as holding something after %s', async (statement) => {
    await server.query('postgres', 'CREATE DATABASE busy');
    await server.query('busy', statement);
    await expect(restore({ database: 'busy' })).rejects.toMatchObject({ code: 'RESTORE_REFUSED' });
  });

  test('is refused at once when it is closed or has prepared transactions, with what to do', async () => {
    await server.query('postgres', 'CREATE DATABASE live');
    await server.query('live', `BEGIN; CREATE TABLE t (a int); PREPARE TRANSACTION 'half done'`);
    await expect(restore({ database: 'live', replace: true })).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      message: expect.stringContaining('half done'),
    });
    await server.query('live', `ROLLBACK PREPARED 'half done'`);
    await server.query('postgres', 'ALTER DATABASE live ALLOW_CONNECTIONS false');
    await expect(restore({ database: 'live', replace: true })).rejects.toMatchObject({
      code: 'RESTORE_REFUSED',
      hint: expect.stringContaining('ALTER DATABASE "live" ALLOW_CONNECTIONS true'),
    });
    const { connection } = await reachServer({ ...server.shop, database: 'live' });
    expect(connection.database).toBe('postgres');
  });

  test('is filled when it is empty, and keeps its own encoding and owner', async () => {
    await server.query('postgres', `CREATE ROLE keeper`);
    await server.query('postgres', `CREATE DATABASE prepared OWNER keeper TEMPLATE template0 LC_COLLATE 'C'`);
    const result = await restore({ database: 'prepared' });
    expect(result.keptDatabase).toBeUndefined();
    const [row] = await server.query(
      'postgres',
      `SELECT pg_get_userbyid(datdba) AS owner, datcollate FROM pg_database WHERE datname = 'prepared'`,
    );
    expect(row).toEqual({ owner: 'keeper', datcollate: 'C' });
    expect(await server.dumpOf('prepared')).toBe(await server.dumpOf('shop'));
    expect(await server.databases()).toEqual(['postgres', 'prepared', 'shop', 'template0', 'template1']);
  });

  test('is replaced on request while others use it; the old one is kept as it was', async () => {
    await server.query('postgres', 'CREATE DATABASE live');
    await server.query('live', `CREATE TABLE mine AS SELECT 1 AS a; ALTER DATABASE live SET work_mem = '7MB'`);
    const { connect } = await import('../../src/postgres/connection.ts');
    const user = await connect({ ...server.shop, database: 'live' });
    const result = await restore({ database: 'live', replace: true });
    await expect(user.query('SELECT 1')).rejects.toThrow();
    await user.end().catch(() => undefined);
    expect(result.keptDatabase).toMatch(/^live_before_\d{8}_\d{6}$/);
    expect(await server.query(result.keptDatabase!, 'SELECT a FROM mine')).toEqual([{ a: 1 }]);
    expect(await server.dumpOf('live')).toBe(await server.dumpOf('shop'));
    expect(await server.query('live', 'SHOW work_mem')).toEqual([{ work_mem: '7MB' }]);
  });

  test('is replaced with a subscription in it: the old one is stopped and parted from its slot, the new one disabled', async () => {
    await server.query('postgres', 'CREATE DATABASE follower');
    await server.query(
      'follower',
      `CREATE TABLE t (a int); CREATE SUBSCRIPTION sub CONNECTION 'host=/nowhere dbname=x' PUBLICATION p WITH (connect = false, slot_name = 'far_slot')`,
    );
    const { key } = await makeBackup({ ...server.shop, database: 'follower' }, server.programs, [store]);
    const result = await restore({ database: 'follower', replace: true }, await openBackup([store], key));
    const slots = await server.query(
      'postgres',
      'SELECT datname, subenabled, subslotname FROM pg_subscription JOIN pg_database d ON d.oid = subdbid ORDER BY 1',
    );
    expect(slots).toEqual([
      { datname: 'follower', subenabled: false, subslotname: 'far_slot' },
      { datname: result.keptDatabase, subenabled: false, subslotname: null },
    ]);
    expect(result.warnings.join()).toContain('far_slot');
    for (const database of ['follower', result.keptDatabase!]) {
      await server.query(database, 'ALTER SUBSCRIPTION sub SET (slot_name = NONE)');
      await server.query(database, 'DROP SUBSCRIPTION sub');
    }
  });
});

describe('a change of names that fails', () => {
  const names = { restored: 'fresh', name: 'live', kept: 'live_before' };

  /** Runs `action` before (or after) a client's first query that begins with `beginning`. */
  function disturb(client: Client, beginning: RegExp, how: 'before' | 'after', action: () => Promise<unknown>): void {
    const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<unknown>;
    let done = false;
    client.query = (async (text: string, values?: unknown[]) => {
      if (done || !beginning.test(text)) return await query(text, values);
      done = true;
      if (how === 'before') await action();
      const result = await query(text, values);
      if (how === 'after') await action();
      return result;
    }) as typeof client.query;
  }

  async function swap(prepare: (client: Client, pid: number) => void): Promise<string[]> {
    const { connection } = server.server;
    return await withClient(connection, async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      prepare(client, rows[0]!.pid);
      return await swapDatabases(client, connection, names);
    });
  }

  beforeEach(async () => {
    for (const name of [names.restored, names.name]) await server.query('postgres', `CREATE DATABASE ${name}`);
    await server.query('live', 'CREATE TABLE mine AS SELECT 1 AS a');
  });

  test('opens the old database again when the connection is lost half-way', async () => {
    const failure = swap((client, pid) =>
      disturb(client, /RENAME TO "live_before"/, 'before', () => server.query('postgres', `SELECT pg_terminate_backend(${pid})`)),
    );
    await expect(failure).rejects.toMatchObject({ code: 'RESTORE_FAILED', message: expect.stringContaining('It is as it was') });
    expect(await server.query('live', 'SELECT a FROM mine')).toEqual([{ a: 1 }]);
  });

  test('has not failed when only the answer to the commit was lost', async () => {
    await swap((client) => disturb(client, /^COMMIT/, 'after', async () => await Promise.reject(new Error('lost'))));
    expect(await server.query('live_before', 'SELECT a FROM mine')).toEqual([{ a: 1 }]);
    expect(await server.databases()).not.toContain('fresh');
    await withClient(server.server.connection, async (client) => {
      disturb(client, /RENAME/, 'after', async () => await Promise.reject(new Error('lost')));
      await nameDatabase(client, server.server.connection, 'live', 'newest');
    });
    expect(await server.databases()).toContain('newest');
  });

  test('says what to run when the old database cannot be opened again', async () => {
    const connection: { -readonly [Key in keyof ConnectionOptions]: ConnectionOptions[Key] } = { ...server.server.connection };
    const failure = withClient(connection, async (client) => {
      disturb(client, /RENAME/, 'before', async () => {
        connection.user = 'nobody';
        return await Promise.reject(new Error('lost'));
      });
      await swapDatabases(client, connection, names, { tries: 2, pauseMs: 10 });
    });
    await expect(failure).rejects.toMatchObject({
      message: expect.not.stringContaining('as it was'),
      hint: expect.stringContaining('ALTER DATABASE "live" ALLOW_CONNECTIONS true;'),
    });
  });

  test('leaves no subscription stopped', async () => {
    await server.query(
      'live',
      `CREATE SUBSCRIPTION one CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'first');
       CREATE SUBSCRIPTION two CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'second');
       CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
         $$ BEGIN IF EXISTS (SELECT FROM pg_subscription WHERE subslotname IS NULL) THEN RAISE 'only one'; END IF; END $$;
       CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse();`,
    );
    await expect(swap(() => undefined)).rejects.toThrow(/only one.*It is as it was/);
    const slots = await server.query('live', 'SELECT subslotname FROM pg_subscription ORDER BY 1');
    await server.query('live', 'DROP EVENT TRIGGER refuse');
    for (const name of ['one', 'two']) {
      await server.query('live', `ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await server.query('live', `DROP SUBSCRIPTION ${name}`);
    }
    expect(slots).toEqual([{ subslotname: 'first' }, { subslotname: 'second' }]);
  });
});

describe('a restore that replaces a database, when the last step fails', () => {
  /** Lets the first query of any client that begins so fail, as if the server had refused it. */
  async function refusing<T>(beginning: RegExp, run: () => Promise<T>): Promise<T> {
    const prototype = pg.Client.prototype as unknown as { query: (this: Client, ...args: unknown[]) => unknown };
    const { query } = prototype;
    let done = false;
    prototype.query = function (...args) {
      if (done || typeof args[0] !== 'string' || !beginning.test(args[0])) return query.apply(this, args);
      done = true;
      return Promise.reject(new Error('refused by the test'));
    };
    try {
      return await run();
    } finally {
      prototype.query = query;
      expect(done).toBe(true);
    }
  }

  const STANDING = ['live', 'postgres', 'shop', 'template0', 'template1'];

  beforeEach(() => server.query('postgres', 'CREATE DATABASE live'));

  test.each([
    ['is closed to others', /^ALTER DATABASE "live" ALLOW_CONNECTIONS false/],
    ['gives its name away', /^ALTER DATABASE "live" RENAME/],
    ['has given its name away', /^ALTER DATABASE "live_restoring_\d+_\d+" RENAME/],
    ['is about to be replaced for good', /^COMMIT/],
  ])('as the old one %s: it is as it was, and what was restored is dropped', async (_when, beginning) => {
    await server.query('live', 'CREATE TABLE mine AS SELECT 1 AS a');
    await refusing(beginning, () =>
      expect(restore({ database: 'live', replace: true })).rejects.toMatchObject({
        code: 'RESTORE_FAILED',
        message: expect.stringMatching(/refused by the test.*It is as it was\. The half-restored database was dropped/),
      }),
    );
    expect(await server.query('live', 'SELECT a FROM mine')).toEqual([{ a: 1 }]);
    expect(await server.databases()).toEqual(STANDING);
  });

  test('keeps what was restored on request: only its name is missing', async () => {
    await server.query('live', 'CREATE TABLE mine AS SELECT 1 AS a');
    await refusing(/^ALTER DATABASE "live" RENAME/, () =>
      expect(restore({ database: 'live', replace: true, keepOnFailure: true })).rejects.toThrow(
        /kept as "live_restoring_\d{8}_\d{6}"\. Database "live" was not touched/,
      ),
    );
    const [kept] = (await server.databases()).filter((name) => name.startsWith('live_restoring_'));
    expect(await server.dumpOf(kept!)).toBe(await server.dumpOf('shop'));
  });

  test('after the change of names: it has succeeded, and says that the empty database is still there', async () => {
    const result = await refusing(/^DROP DATABASE "live_before_/, () => restore({ database: 'live' }));
    expect(result.warnings).toEqual([
      expect.stringMatching(/^The empty database .* still there as "live_before_.*refused by the test/),
    ]);
    expect(await server.databases()).toEqual(['live', result.keptDatabase, ...STANDING.slice(1)]);
    expect(await server.dumpOf('live')).toBe(await server.dumpOf('shop'));
  });

  test('and what was restored cannot be dropped either: it says that it is there', async () => {
    await refusing(/^DROP DATABASE "live_restoring_/, () =>
      refusing(/^ALTER DATABASE "live" RENAME/, () =>
        expect(restore({ database: 'live' })).rejects.toThrow(
          /The half-restored database "live_restoring_\d+_\d+" is still there, because it could not be dropped \(refused by the test\)/,
        ),
      ),
    );
    expect((await server.databases()).filter((name) => name.startsWith('live'))).toHaveLength(2);
  });
});

describe('a role that is no superuser', () => {
  test('names and replaces databases that autovacuum is at work in', async () => {
    await server.query('postgres', 'CREATE ROLE modest LOGIN CREATEDB');
    await server.query('postgres', 'CREATE DATABASE vacuumed OWNER modest');
    await server.query(
      'vacuumed',
      `CREATE TABLE slow (a int, b text) WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_threshold = 1)`,
    );
    await server.query('vacuumed', `INSERT INTO slow SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i`);
    await server.query('vacuumed', 'DELETE FROM slow');
    const workers = `SELECT pid FROM pg_stat_activity WHERE datname = 'vacuumed' AND backend_type = 'autovacuum worker'`;
    for (let looks = 1; (await server.query('postgres', workers)).length === 0; looks += 1) {
      await server.query('postgres', 'SELECT pg_sleep(0.1)');
      // On a machine that is busy it may not have come to it, once for minutes: the failure has to say what it was at.
      if (looks === 600) {
        const seen = [
          await server.query('postgres', 'SELECT pid, datname, backend_type, backend_start, wait_event FROM pg_stat_activity'),
          await server.query('vacuumed', 'SELECT * FROM pg_stat_user_tables'),
        ];
        throw new Error(`autovacuum did not begin within ${looks} looks: ${JSON.stringify(seen)}`);
      }
    }
    const connection = { ...server.server.connection, user: 'modest' };
    await withClient(connection, async (client) => await nameDatabase(client, connection, 'vacuumed', 'named'));
    expect(await server.databases()).toContain('named');
  });

  test('waits for sessions that it may not end, and says which', async () => {
    await server.query('postgres', 'CREATE ROLE shy LOGIN');
    const connection = { ...server.server.connection, user: 'shy' };
    await withClient(server.shop, async (user) => {
      const ended = withClient(connection, async (client) => await endSessions(client, 'shop'));
      const waiting = `SELECT FROM pg_stat_activity WHERE usename = 'shy' AND query LIKE 'SELECT pg_sleep%'`;
      while ((await user.query(waiting)).rowCount === 0) await user.query('SELECT pg_sleep(0.05)');
      await user.end();
      await ended;
    });
  });
});

describe('what is missing', () => {
  test('is listed all at once before anything is written', async () => {
    const { manifest } = source;
    const requires = {
      roles: [...manifest.requires.roles, 'nobody knows'],
      tablespaces: ['fast_disks'],
      extensions: [...manifest.requires.extensions, { name: 'no_such_extension', version: '1.0', schema: 'public' }],
    };
    const database = {
      ...manifest.database,
      owner: 'departed',
      acl: ['"o""dd"=c/departed', '=T/departed'],
      collate: 'xx_YY.UTF-8',
    };
    const demanding = {
      ...source,
      manifest: { ...manifest, requires, database, server: { ...manifest.server, versionNum: 990000 } },
    };
    const failure = restore({}, demanding);
    await expect(failure).rejects.toMatchObject({ code: 'RESTORE_PREFLIGHT' });
    for (const part of [
      'PostgreSQL 15, the backup is of 99',
      'nobody knows',
      'departed',
      'o"dd',
      'fast_disks',
      'no_such_extension',
      'xx_YY.UTF-8',
      'Nothing was changed',
    ]) {
      await expect(failure).rejects.toThrow(part);
    }
    expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);
  });

  test('a locale that only the server can judge is refused without a trace', async () => {
    const database = { ...source.manifest.database, collate: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8' };
    await expect(restore({}, { ...source, manifest: { ...source.manifest, database } })).rejects.toMatchObject({
      code: 'RESTORE_PREFLIGHT',
      hint: expect.stringMatching(/lacks the locale, install it there, or create an empty database/),
    });
    expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);
  });

  test('space that is not there is found before anything is written; of space that may be too little one is warned', async () => {
    const { manifest } = source;
    const sized = (rawBytes: number, toc = 1) => ({
      ...manifest,
      file: { ...manifest.file, rawBytes },
      side: { ...manifest.side, toc: { ...manifest.side.toc!, bytes: toc } },
    });
    const failure = restore({}, { ...source, manifest: sized(1e18, 1e18) });
    await expect(failure).rejects.toMatchObject({ code: 'RESTORE_PREFLIGHT' });
    await expect(failure).rejects.toThrow(/data directory \S+ has \d+ MB free; the backup holds 1000000000000 MB/);
    await expect(failure).rejects.toThrow(`${temporaryFolder} has`);
    expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);

    const { bavail, bsize } = await statfs(temporaryFolder);
    const check = {
      properties: manifest.database,
      connection: server.server.connection,
      serverVersion: 150000,
      extensions: NO_CHOICE,
    };
    const findings = await withClient(server.server.connection, async (client) => {
      const given = { ...check, manifest: sized(bavail * bsize * 2), programs: server.programs, temporaryFolder };
      return await checkServer(client, given);
    });
    expect(findings).toEqual({ problems: [], warnings: [expect.stringContaining('It may not be enough.')] });
  });
});

describe('a restore that fails', () => {
  /** A copy of the backup with one byte of a member changed, or with the file cut. */
  async function damagedCopy(change: (dump: Buffer) => Buffer): Promise<BackupSource> {
    const damaged = createMemoryStorage({ name: 'damaged' });
    const parts: Buffer[] = [];
    for await (const part of store.get(source.key)) parts.push(Buffer.from(part));
    await putBytes(damaged, source.key, change(Buffer.concat(parts)));
    return { ...source, copies: [damaged] };
  }

  const flip =
    (kind: 'head' | 'chunk' | 'tail') =>
    (dump: Buffer): Buffer => {
      const member = source.manifest.members.filter((each) => each.kind === kind).at(-1)!;
      const at = member.offset + Math.floor(member.length / 2);
      dump[at] = dump[at]! ^ 1;
      return dump;
    };

  test.each(['head', 'chunk', 'tail'] as const)('because of a flipped bit in the %s leaves no database', async (kind) => {
    await expect(restore({}, await damagedCopy(flip(kind)))).rejects.toMatchObject({
      code: 'BACKUP_DAMAGED',
      message: expect.stringMatching(/SHA-256.*was dropped/s),
    });
    expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);
  });

  test('because the file is cut off leaves no database', async () => {
    await expect(restore({}, await damagedCopy((dump) => dump.subarray(0, -1)))).rejects.toThrow(/dropped/);
    await expect(restore({}, await damagedCopy(() => Buffer.alloc(0)))).rejects.toThrow(/dropped/);
    expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);
  });

  test('keeps the half-filled database on request, and says its name', async () => {
    const failure = restore({ keepOnFailure: true }, await damagedCopy(flip('tail')));
    await expect(failure).rejects.toThrow(/kept as "restored_restoring_\d{8}_\d{6}"/);
    expect((await server.databases()).filter((name) => name.startsWith('restored_restoring_'))).toHaveLength(1);
  });

  test('does not fail while another copy has the bytes', async () => {
    const head = await damagedCopy(flip('head'));
    const tail = await damagedCopy(flip('tail'));
    const result = await restore({}, { ...source, copies: [...head.copies, ...tail.copies] });
    expect(result.warnings.filter((warning) => warning.includes('SHA-256'))).toHaveLength(2);
    expect(await server.dumpOf('restored')).toBe(await server.dumpOf('shop'));
  });

  test('does not touch the database that it was to replace', async () => {
    await server.query('postgres', 'CREATE DATABASE live');
    await server.query('live', 'CREATE TABLE mine AS SELECT 1 AS a');
    await expect(restore({ database: 'live', replace: true }, await damagedCopy(flip('chunk')))).rejects.toThrow(
      '"live" was not touched',
    );
    expect(await server.query('live', 'SELECT a FROM mine')).toEqual([{ a: 1 }]);
    expect(await server.databases()).toEqual(['live', 'postgres', 'shop', 'template0', 'template1']);
  });

  test.each(['definitions', 'rows', 'indexes and constraints', 'statistics'])(
    'because it is aborted during %s leaves no database',
    async (phase) => {
      const abort = new AbortController();
      const context = quietContext({
        signal: abort.signal,
        onProgress: (progress) => {
          if (progress.phase === phase) setImmediate(() => abort.abort());
        },
      });
      await expect(restoreBackup(input(), { database: 'restored', loaders: 2 }, context)).rejects.toMatchObject({
        code: 'ABORTED',
      });
      expect(await server.databases()).toEqual(['postgres', 'shop', 'template0', 'template1']);
    },
  );

  test('drops a database that has a subscription already', async () => {
    await server.query('postgres', 'CREATE DATABASE follower');
    await server.query('follower', `CREATE SUBSCRIPTION sub CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)`);
    const { key } = await makeBackup({ ...server.shop, database: 'follower' }, server.programs, [store]);
    await server.query('follower', 'ALTER SUBSCRIPTION sub SET (slot_name = NONE)');
    await server.query('follower', 'DROP SUBSCRIPTION sub');
    const abort = new AbortController();
    const context = quietContext({
      signal: abort.signal,
      onProgress: ({ phase }) => {
        if (phase === 'statistics') abort.abort();
      },
    });
    const from = await openBackup([store], key);
    await expect(restoreBackup(input(from), { database: 'restored' }, context)).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await server.databases()).toEqual(['follower', 'postgres', 'shop', 'template0', 'template1']);
  });

  test('because a row does not fit says which table and line', async () => {
    const tables = source.manifest.tables.map((table) =>
      table.name === 'orders' ? { ...table, columns: ['id', 'note', 'customer', 'at'] } : table,
    );
    const failure = restore({}, { ...source, manifest: { ...source.manifest, tables } });
    await expect(failure).rejects.toMatchObject({
      code: 'RESTORE_FAILED',
      message: expect.stringMatching(/COPY orders, line 1, column customer/),
    });
  });
});
