import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Manifest } from '../../../src/catalog/manifest.ts';
import { preflight, type Preflight, type PreflightInput } from '../../../src/drill/preflight.ts';
import { withClient } from '../../../src/postgres/connection.ts';
import { installedVersions } from '../../support/postgres-versions.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

let workFolder: string;

beforeAll(async () => {
  workFolder = await mkdtemp(join(tmpdir(), 'preflight-'));
  await chmod(workFolder, 0o711);
});
afterAll(async () => {
  // Whatever a preflight said, it and its caller have left nothing.
  expect(await readdir(workFolder)).toEqual([]);
  await rm(workFolder, { recursive: true });
});

function manifestOf(major: number, changes: Partial<Manifest> = {}): Manifest {
  return sampleManifest({
    server: { version: `${major}.1`, versionNum: major * 10_000 + 1, standby: false },
    programs: { dbBackup: '0.1.0', pgDump: `${major}.1` },
    ...changes,
  });
}

async function run(input: Partial<PreflightInput> & { manifest: Manifest }): Promise<Preflight> {
  const directories = installedVersions().map(({ binDirectory }) => binDirectory);
  return await preflight({ directories, allowed: [], workFolder, signal: AbortSignal.timeout(120_000), globals: '', ...input });
}

/** What a query says on the server of a preflight that passed; the server is then gone. */
async function ask(result: Preflight, queries: readonly string[]): Promise<unknown[][]> {
  const { findings, ready } = result;
  if (ready === undefined) throw new Error(`there is no server: ${JSON.stringify(findings)}`);
  try {
    return await withClient(ready.server.connection, async (client) => {
      const answers: unknown[][] = [];
      for (const text of queries) answers.push((await client.query<unknown[]>({ text, rowMode: 'array' })).rows.flat());
      return answers;
    });
  } finally {
    await ready.server.stop();
  }
}

const extension = (name: string, version: string) => ({ name, version, schema: 'public' });

describe('a preflight', () => {
  test('makes roles that nobody can log in as, with their memberships, tablespaces, and what extensions need', async () => {
    const base = manifestOf(15);
    const globals = `CREATE ROLE keeper;
ALTER ROLE keeper WITH SUPERUSER INHERIT LOGIN PASSWORD 'md5secret';
CREATE ROLE boss;
ALTER ROLE boss WITH SUPERUSER INHERIT LOGIN;
CREATE ROLE "Reader 1";
ALTER ROLE "Reader 1" WITH NOSUPERUSER NOINHERIT LOGIN PASSWORD 'md5secret';
GRANT "Reader 1" TO keeper WITH ADMIN OPTION GRANTED BY boss;
`;
    const manifest = {
      ...base,
      database: { ...base.database, tablespace: 'fast', acl: ['keeper=CTc/keeper', '"Guest ""x"""=c/keeper', '=c/keeper'] },
      requires: {
        roles: ['keeper', 'Reader 1'],
        tablespaces: ['Slow disk'],
        extensions: [extension('pg_stat_statements', '1.10'), extension('hstore', '1.8')],
      },
    };
    const result = await run({ manifest, globals });
    const [roles, members, tablespaces, settings, passwords] = await ask(result, [
      `SELECT rolname || CASE WHEN rolsuper THEN ' super' ELSE '' END || CASE WHEN rolinherit THEN '' ELSE ' noinherit' END
         FROM pg_roles WHERE NOT rolcanlogin AND rolname !~ '^pg_' ORDER BY 1`,
      `SELECT roleid::regrole || ' ' || member::regrole || ' ' || admin_option FROM pg_auth_members WHERE roleid > 16384`,
      'SELECT spcname FROM pg_tablespace WHERE oid > 16384 ORDER BY 1',
      `SELECT current_setting('shared_preload_libraries') || ' ' || current_setting('wal_level')`,
      'SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL AND NOT rolcanlogin',
    ]);
    expect(result.verdict).toBe('passed');
    expect(result.findings.map(({ object }) => object)).toEqual(['server']);
    expect(roles).toEqual(['Guest "x"', 'Reader 1 noinherit', 'boss', 'keeper super']);
    expect(members).toEqual(['"Reader 1" keeper true']);
    expect(tablespaces).toEqual(['Slow disk', 'fast']);
    expect(settings).toEqual(['pg_stat_statements minimal']);
    expect(passwords).toEqual([]);
  }, 120_000);

  test('compiles locales that the machine lacks, for this server alone, and the collations of them are there', async () => {
    const base = manifestOf(15);
    const database = { ...base.database, encoding: 'LATIN1', collate: 'de_DE.ISO-8859-1', ctype: 'de_DE.ISO-8859-1' };
    const settings = [{ name: 'lc_monetary', value: 'sv_SE.UTF-8' }];
    const result = await run({ manifest: { ...base, database: { ...database, settings } } });
    const [order, collations] = await ask(result, [
      `SELECT string_agg(x, '' ORDER BY x COLLATE "sv_SE.utf8") FROM unnest(ARRAY['ö', 'z', 'a']) x`,
      `SELECT collname::text FROM pg_collation WHERE collname IN ('de_DE.iso88591', 'sv_SE.utf8') ORDER BY 1`,
    ]);
    expect(result.verdict).toBe('passed');
    expect(result.findings.map(({ object }) => object)).toEqual(['locale de_DE.ISO-8859-1', 'locale sv_SE.UTF-8', 'server']);
    expect(order).toEqual(['azö']);
    expect(collations).toEqual(['de_DE.iso88591', 'sv_SE.utf8']);
  }, 120_000);

  test('is inconclusive for what cannot be had, names the package, and leaves no server', async () => {
    const base = manifestOf(15);
    const requires = (...extensions: Manifest['requires']['extensions']) => ({ roles: [], tablespaces: [], extensions });
    const missing = await run({
      manifest: {
        ...base,
        requires: requires(extension('pg_cron', '1.4'), extension('hstore', '9.9'), extension('plpgsql', '1.0')),
      },
    });
    expect(missing).toMatchObject({
      verdict: 'inconclusive',
      findings: [
        { object: 'extension pg_cron', hint: expect.stringContaining('postgresql-15-cron') },
        { object: 'extension hstore', message: expect.stringContaining('9.9'), hint: expect.stringContaining('postgresql-15;') },
        { object: 'server' },
      ],
    });
    expect(missing.ready).toBeUndefined();

    expect(await run({ manifest: manifestOf(99) })).toMatchObject({
      verdict: 'inconclusive',
      findings: [{ object: 'programs', hint: expect.stringContaining('postgresql-99') }],
    });
    const klingon = { ...base.database, collate: 'tlh_QO.UTF-8', ctype: 'tlh_QO.UTF-8' };
    expect(await run({ manifest: { ...base, database: klingon } })).toMatchObject({
      verdict: 'inconclusive',
      findings: [{ object: 'locale', message: expect.stringContaining('tlh_QO.UTF-8') }],
    });
    expect(await run({ manifest: { ...base, file: { ...base.file, rawBytes: 2 ** 53 } } })).toMatchObject({
      verdict: 'inconclusive',
      findings: [{ object: 'disk', hint: expect.stringContaining('BACKUP_WORK_DIR') }, { object: 'server' }],
    });
  }, 120_000);

  test('takes an extension of another version when it is allowed by name', async () => {
    const manifest = manifestOf(15, { requires: { roles: [], tablespaces: [], extensions: [extension('hstore', '9.9')] } });
    const result = await run({ manifest, allowed: ['extension hstore'] });
    expect(await ask(result, ['SELECT 1'])).toEqual([[1]]);
    expect(result.findings.map(({ object }) => object)).toEqual(['server', 'extension hstore']);
  }, 120_000);

  test('takes the server of the very version of the backup, and tells of another version of a collation', async () => {
    const other = installedVersions()
      .map(({ major }) => major)
      .filter((major) => major > 15)
      .at(0);
    if (other === undefined) return;
    const base = manifestOf(other);
    const database = { ...base.database, localeProvider: 'icu' as const, locale: 'de-DE', collationVersion: '1.2.3' };
    const result = await run({ manifest: { ...base, database } });
    const [version] = await ask(result, [`SELECT current_setting('server_version_num')::int / 10000`]);
    expect(version).toEqual([other]);
    expect(result.findings.map(({ object }) => object)).toEqual(['server', 'collation version']);
  }, 120_000);
});
