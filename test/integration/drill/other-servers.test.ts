import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PHASES } from '../../../src/drill/verdict.ts';
import { digestTables } from '../../../src/dump/digest-tables.ts';
import { connect, withClient } from '../../../src/postgres/connection.ts';
import { findingsOf, makeDrillGround, verdictsOf, type DrillGround } from '../../support/drill-ground.ts';
import { startTestServer, type TestServer } from '../../support/dump-to-file.ts';
import { makeBackup } from '../../support/make-backup.ts';

// Version 18 takes extensions from a folder of ours: only the source's server has this one.
const MAJOR = 18;
const EXTENSION = {
  'clockwork.control': `default_version = '1.0'\nschema = pg_catalog\nrelocatable = false\n`,
  'clockwork--1.0.sql': `CREATE SCHEMA clock;
CREATE TABLE clock.jobs (id serial PRIMARY KEY, what text);
SELECT pg_catalog.pg_extension_config_dump('clock.jobs', '');
SELECT pg_catalog.pg_extension_config_dump('clock.jobs_id_seq', '');`,
};
const SOURCE = `
CREATE ROLE reader;
CREATE SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext VERSION '1.7';
CREATE EXTENSION clockwork;
COMMENT ON EXTENSION clockwork IS 'ours';
INSERT INTO clock.jobs (what) SELECT 'tick' FROM generate_series(1, 3);
GRANT USAGE ON SCHEMA clock TO reader;
GRANT SELECT ON clock.jobs TO reader;
CREATE TABLE people (id int PRIMARY KEY, name text COLLATE "sv_SE.utf8", facts ext.hstore);
CREATE INDEX by_name ON people (name);
INSERT INTO people SELECT g, chr(228 + g % 3) || g, 'a=>1' FROM generate_series(1, 2000) g;
CREATE COLLATION ours (provider = libc, locale = 'da_DK.utf8');
CREATE TABLE danes (name text COLLATE ours);
INSERT INTO danes VALUES ('å'), ('ø');`;
const ALL_PASSED = Object.fromEntries(PHASES.map((name) => [name, 'passed']));

let source: TestServer;
let ground: DrillGround;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clockwork-'));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'extension'));
  for (const [name, text] of Object.entries(EXTENSION)) await writeFile(join(folder, 'extension', name), text);
  source = await startTestServer(MAJOR, {
    settings: { extension_control_path: `${folder}:$system` },
    locales: ['sv_SE.utf8', 'da_DK.utf8'],
  });
  await source.sql('postgres', 'CREATE DATABASE shop');
  await source.sql('shop', SOURCE);
  ground = await makeDrillGround([source.programs.directory]);
  await makeBackup(source.database('shop'), source.programs, [ground.local]);
});

afterAll(async () => {
  await source.stop();
  await ground.remove();
  await rm(folder, { recursive: true });
});

describe('A drill of a backup that needs what this machine lacks', () => {
  test('is inconclusive without the extension, and says how to go on', async () => {
    const drill = await ground.run();
    expect(drill).toMatchObject({
      exitStatus: 2,
      error: { code: 'DRILL_INCONCLUSIVE', hint: expect.stringContaining('DRILL_ALLOWED') },
    });
    expect(findingsOf(drill, 'preflight').join('\n')).toMatch(/extension clockwork: version 1.0 is in the backup/);
  });

  test('leaves out an extension that is allowed by name, with all of its rows and privileges, and proves the rest', async () => {
    const drill = await ground.run({ allowed: ['clockwork'] }, { thorough: true });
    expect({ ...verdictsOf(drill), found: findingsOf(drill, 'equality') }).toEqual({ ...ALL_PASSED, found: [] });
    const told = findingsOf(drill, 'preflight').join('\n');
    expect(told).toMatch(/extension clockwork: .*left out, as drill.allowed says/);
    expect(told).toMatch(/extension hstore: created in version 1.7/);
    // Compiled for the drill, for single columns alone.
    expect(told).toMatch(/locale sv_SE.utf8: .*compiled/);
    expect(told).toMatch(/locale da_DK.utf8: .*compiled/);
    expect(drill.summary.restores.map(({ way }) => way)).toEqual(['engine']);
  });

  test('creates extensions in the very version of the backup, by the engine and by psql alone', async () => {
    await source.sql('shop', 'DROP EXTENSION clockwork CASCADE');
    const started = new Date('2026-02-02T03:04:05Z');
    await makeBackup(source.database('shop'), source.programs, [ground.local], { started });
    const versions: unknown[] = [];
    const drill = await ground.run(
      {
        hooks: {
          async before(phase, server) {
            if (phase !== 'equality') return;
            for (const database of ['drill_engine', 'drill_plain']) {
              await withClient({ ...server!.connection, database }, async (client) => {
                versions.push(...(await client.query(`SELECT extversion FROM pg_extension WHERE extname = 'hstore'`)).rows);
              });
            }
          },
        },
      },
      { thorough: true },
    );
    expect(verdictsOf(drill)).toEqual(ALL_PASSED);
    expect(versions).toEqual([{ extversion: '1.7' }, { extversion: '1.7' }]);
    expect(drill.summary.restores[1]!.command).toMatch(/^gunzip -c .* \| sed '.*VERSION .*1\.7.* \| .*psql -X/s);
  });
});

test('Tables are compared for longer than their database lets a transaction last', async () => {
  await source.sql('shop', `ALTER DATABASE shop SET transaction_timeout = '1s'`);
  const connection = source.database('shop');
  const blocker = await connect(connection, { sessionSettings: { transaction_timeout: '0' } });
  try {
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE danes');
    const tables = [{ schema: 'public', name: 'danes', columns: ['name'] }];
    const digests = digestTables({ connection, tables, workers: 1, signal: new AbortController().signal });
    // The session that holds the snapshot waits for the table, in its transaction.
    const holders = `SELECT pid, now() - xact_start > '1500 ms' AS old FROM pg_stat_activity
                      WHERE application_name = 'db-backup digest' AND wait_event_type = 'Lock'`;
    let [holder] = await source.sql('postgres', holders);
    while (!holder) [holder] = await source.sql('postgres', holders);
    const { pid } = holder;
    while (holder && holder['old'] !== true) {
      [holder] = await source.sql(
        'postgres',
        `SELECT pid, now() - xact_start > '1500 ms' AS old FROM pg_stat_activity WHERE pid = ${String(pid)}`,
      );
    }
    await blocker.query('ROLLBACK');
    expect(await digests).toMatchObject([{ name: 'danes', found: { rows: 2 } }]);
    expect(holder).toEqual({ pid, old: true });
  } finally {
    await blocker.end();
    await source.sql('postgres', 'ALTER DATABASE shop RESET transaction_timeout');
  }
});

describe('A drill on a server that the user names', () => {
  const databases = async () =>
    (await source.sql('postgres', 'SELECT datname FROM pg_database ORDER BY 1')).map(({ datname }) => datname);

  test('works in scratch databases, drops them and what a killed drill left, and touches nothing else', async () => {
    const alive = await connect(source.connection, { applicationName: 'db-backup drill bbbbbbbbbbbb' });
    const left = ['db_backup_drill_aaaaaaaaaaaa_engine', 'db_backup_drill_aaaaaaaaaaaa_plain_restoring_20260101_000000'];
    const others = [
      'db_backup_drill_bbbbbbbbbbbb_engine',
      'db_backup_drill_notes',
      'drill_engine',
      'dbxbackupxdrillxaaaaaaaaaaaa_x',
    ];
    for (const name of [...left, ...others]) await source.sql('postgres', `CREATE DATABASE "${name}"`);
    const before = await databases();
    const roles = await source.sql('postgres', 'SELECT rolname FROM pg_roles ORDER BY 1');
    const during: string[] = [];
    const drill = await ground.run(
      {
        server: source.connection,
        hooks: {
          before: async (phase) => {
            if (phase === 'clean-up') during.push(...((await databases()) as string[]).filter((name) => !before.includes(name)));
          },
        },
      },
      { thorough: true },
    );
    expect({ ...verdictsOf(drill), found: findingsOf(drill, 'equality') }).toEqual({ ...ALL_PASSED, found: [] });
    expect(findingsOf(drill, 'preflight').join('\n')).toMatch(/drill\.target[^]*the very server that was backed up/);
    expect(drill.summary.restoredInto).toMatch(/drill\.target/);
    expect(drill.summary.swept).toEqual(left);
    expect(during.map((name) => name.replace(/_[0-9a-f]{12}_/, '_*_'))).toEqual(
      ['definitions', 'engine', 'plain'].map((name) => `db_backup_drill_*_${name}`),
    );
    expect(await databases()).toEqual(before.filter((name) => !left.includes(name as string)));
    expect(await source.sql('postgres', 'SELECT rolname FROM pg_roles ORDER BY 1')).toEqual(roles);
    await alive.end();
    for (const name of others) await source.sql('postgres', `DROP DATABASE "${name}"`);
  });

  test('is inconclusive, and makes nothing, where roles are lacking or nobody answers', async () => {
    const before = await databases();
    await source.sql('postgres', 'CREATE ROLE passing');
    await source.sql('postgres', 'CREATE DATABASE brief OWNER passing');
    const started = new Date('2026-03-02T03:04:05Z');
    await makeBackup(source.database('brief'), source.programs, [ground.local], { started, source: 'shop' });
    await source.sql('postgres', 'DROP DATABASE brief');
    await source.sql('postgres', 'DROP ROLE passing');
    const drill = await ground.run({ server: source.connection });
    expect(drill).toMatchObject({ exitStatus: 2, summary: { status: 'inconclusive' } });
    expect(findingsOf(drill, 'preflight').join('\n')).toMatch(/roles: the server lacks roles .*: passing/);
    const nobody = await ground.run({ server: { ...source.connection, host: folder } });
    expect(nobody).toMatchObject({ exitStatus: 2, error: { hint: expect.stringContaining('DRILL_TARGET_HOST') } });
    expect(await databases()).toEqual(before);
  });

  test('is inconclusive, never a failure, for a role that may not do what a restore needs', async () => {
    await source.sql('postgres', 'CREATE ROLE modest LOGIN CREATEDB');
    const drill = await ground.run(
      { server: { ...source.connection, user: 'modest' } },
      { label: 'backup_shop_20260202_030405' },
    );
    expect(drill.exitStatus).toBe(2);
    expect(drill.summary.status).toBe('inconclusive');
    expect((await databases()).filter((name) => /drill/.test(String(name)))).toEqual([]);
  });
});
