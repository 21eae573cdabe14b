import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { configurationDocuments } from '../../scripts/configuration-documents.ts';
import { dumpKey, FULL, labelOf, SIDE } from '../../src/catalog/names.ts';
import type { Config } from '../../src/config.ts';
import { loadConfig } from '../../src/config/choose-source.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { BackupError } from '../../src/errors.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-test-'));
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

function load(env: Record<string, string> = {}): Config {
  return loadConfig({ env: { POSTGRES_DB: 'shop', ...env }, configDirectory: folder });
}

/** The lines of the one error that reports every problem. */
function problems(env: Record<string, string> = {}): string[] {
  try {
    load(env);
  } catch (error) {
    expect(error).toBeInstanceOf(BackupError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitStatus: 2 });
    const [first = '', ...lines] = (error as Error).message.split('\n- ');
    expect(first).toContain(lines.length === 1 ? 'a problem' : `${lines.length} problems`);
    return lines;
  }
  throw new Error('the configuration was accepted');
}

describe('defaults', () => {
  test('are a nightly gzip dump at 02:00 UTC into /backups', () => {
    const config = load();
    expect(config).toMatchObject({
      environment: 'production',
      source: { name: 'shop', connection: { host: 'localhost', port: 5432, user: 'postgres', tls: { mode: 'prefer' } } },
      targets: { local: { directory: '/backups', mounted: false } },
      dump: { codec: 'gzip', level: 'auto' },
      schedule: { backup: '0 2 * * *', timeZone: 'UTC' },
      paths: { reports: '/backups/logs' },
    });
    expect(config.targets.s3).toBeUndefined();
    expect(config.dump.workers).toBeGreaterThanOrEqual(1);
    expect(config.dump.workers).toBeLessThanOrEqual(8);
  });

  test('name no database, so that the wrong one is not backed up', () => {
    expect(problems({ POSTGRES_DB: '' })).toEqual([expect.stringMatching(/^source\.database .*POSTGRES_DB/)]);
  });

  test('do without a database where none is backed up', () => {
    const config = loadConfig({ env: {}, configDirectory: folder, sourceRequired: false });
    expect(config.source.connection.database).toBe('postgres');
  });

  test('of the shipped default.json are those of the program', async () => {
    const shipped = loadConfig({
      env: { POSTGRES_DB: 'shop' },
      configDirectory: new URL('../../config', import.meta.url).pathname,
    });
    const own = load();
    // These lie beside the folder that is read.
    const { drill, hooks } = own;
    expect({
      ...shipped,
      drill: { ...shipped.drill, assertions: drill.assertions },
      hooks: { ...shipped.hooks, directory: hooks.directory },
    }).toEqual({ ...own });
  });

  test('and every other file made from the settings are up to date (npm run docs:configuration)', async () => {
    for (const [path, content] of configurationDocuments()) {
      expect(await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(content);
    }
  });

  test('are valid, each by its own rule', () => {
    for (const setting of SETTINGS) {
      expect([setting.key, setting.default === null || setting.format.valid(setting.default)]).toEqual([setting.key, true]);
    }
  });
});

describe('the name of the source', () => {
  const longest = (source: string) => `${dumpKey(labelOf(source, new Date(0)), 'zstd')}${SIDE.globals}`.slice(FULL.length);

  test('may be as long as the longest file name allows', () => {
    const most = `${'€'.repeat(23)}${'x'.repeat(6)}`;
    expect(longest(most)).toHaveLength(255);
    expect(load({ BACKUP_SOURCE_NAME: most }).source.name).toBe(most);
    expect(problems({ BACKUP_SOURCE_NAME: `${most}x` })).toEqual([
      expect.stringMatching(/^source\.name .*BACKUP_SOURCE_NAME.*at most 213 bytes.*has 214/),
    ]);
  });

  test('may be that of any database, whatever its characters', () => {
    expect(load({ POSTGRES_DB: 'ю'.repeat(31) }).source.name).toBe('ю'.repeat(31));
    expect(longest('€'.repeat(21)).length).toBeLessThanOrEqual(255);
  });

  test('must be set when that of the database is too long', () => {
    const POSTGRES_DB = '€'.repeat(24);
    expect(problems({ POSTGRES_DB })).toEqual([expect.stringMatching(/^source\.name .*BACKUP_SOURCE_NAME.*has 216/)]);
    expect(load({ POSTGRES_DB, BACKUP_SOURCE_NAME: 'shop' }).source.name).toBe('shop');
  });
});

describe('layers', () => {
  test('the file of the environment wins over default.json, a variable over both', async () => {
    await file('default.json', { dump: { codec: 'zstd', level: 2, workers: 2 } });
    await file('staging.json', { dump: { level: 3, workers: 3 } });
    const { dump, environment } = load({ DB_BACKUP_ENV: 'staging', BACKUP_WORKERS: '4' });
    expect(environment).toBe('staging');
    expect(dump).toMatchObject({ codec: 'zstd', level: 3, workers: 4 });
  });

  test('DB_BACKUP_ENV wins over NODE_ENV, which needs no file', async () => {
    await file('one.json', {});
    expect(load({ DB_BACKUP_ENV: 'one', NODE_ENV: 'other' }).environment).toBe('one');
    expect(load({ NODE_ENV: 'other' }).environment).toBe('other');
    expect(problems({ DB_BACKUP_ENV: 'none' })).toEqual([expect.stringMatching(/^DB_BACKUP_ENV .*"none"/)]);
  });

  test('POSTGRES_ variables win over those of libpq, one by one', () => {
    const { connection } = load({
      POSTGRES_HOST: 'ours',
      PGHOST: 'theirs',
      PGPORT: '6000',
      POSTGRES_USER: 'us',
      PGUSER: 'them',
      PGPASSWORD: 'their secret',
      POSTGRES_PASSWORD: 'our secret',
      PGDATABASE: 'theirs',
    }).source;
    expect({ ...connection }).toMatchObject({ host: 'ours', port: 6000, user: 'us', password: 'our secret', database: 'shop' });
  });

  test('an empty variable counts as not set', () => {
    expect(load({ POSTGRES_HOST: '', PGHOST: 'theirs', BACKUP_S3_BUCKET: '' }).source.connection.host).toBe('theirs');
  });

  test('another folder of files can be named', async () => {
    await file('default.json', { source: { name: 'elsewhere' } });
    const options = { env: { POSTGRES_DB: 'shop', BACKUP_CONFIG_DIRECTORY: folder }, configDirectory: '/nonexistent' };
    expect(loadConfig(options).source.name).toBe('elsewhere');
  });
});

describe('problems', () => {
  test('are reported all at once, each with key, origin and what was expected', async () => {
    const path = await file('default.json', { dump: { level: 'high' }, storage: 5 });
    expect(problems({ POSTGRES_PORT: '70000', BACKUP_CODEC: 'lz4' })).toEqual([
      `dump.level (${path}): expected a whole number from 1 to 19, or auto, got "high"`,
      `storage (${path}): expected an object with the settings below it`,
      'source.port (environment variable POSTGRES_PORT): expected a whole number from 1 to 65535, got "70000"',
      'dump.codec (environment variable BACKUP_CODEC): expected one of gzip, zstd, got "lz4"',
    ]);
  });

  test.each([
    [{ dump: { worker: 2 } }, 'dump.worker', 'dump.workers'],
    [{ dmup: { workers: 2 } }, 'dmup', 'dump'],
    [{ source: { tls: { moed: 'require' } } }, 'source.tls.moed', 'source.tls.mode'],
    [{ bucket: 'mine' }, 'bucket', undefined],
    [JSON.parse('{"__proto__": {"polluted": true}}'), '__proto__', undefined],
  ])('an unknown key is named with the nearest valid one: %j', async (content: unknown, key, meant) => {
    await file('default.json', content);
    const lines = problems();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      new RegExp(`^${key.replaceAll('.', '\\.')} \\(.*default\\.json\\): there is no such setting; did you mean \\S+\\?$`),
    );
    if (meant !== undefined) expect(lines[0]).toContain(`did you mean ${meant}?`);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test.each([
    ['BACKUP_SHEDULE', 'BACKUP_SCHEDULE'],
    ['BACKUP_S3_BUKCET', 'BACKUP_S3_BUCKET'],
    ['POSTGRES_PASWORD', 'POSTGRES_PASSWORD'],
    ['POSTGRES_PASSWORD_FLIE', 'POSTGRES_PASSWORD_FILE'],
    ['DB_BACKUP_EVN', 'DB_BACKUP_ENV'],
  ])('a mistyped variable is named with the nearest valid one: %s', (name, meant) => {
    expect(problems({ [name]: 'x' })).toEqual([`${name} (environment): there is no such variable; did you mean ${meant}?`]);
  });

  test('variables of the official image, of Kubernetes and of others are let through', () => {
    const env = {
      POSTGRES_INITDB_ARGS: '--data-checksums',
      POSTGRES_HOST_AUTH_METHOD: 'scram-sha-256',
      POSTGRES_SERVICE_HOST: '10.0.0.1',
      POSTGRES_SERVICE_PORT_PG: '5432',
      POSTGRES_PORT_5432_TCP_ADDR: '10.0.0.1',
      DB_BACKUP_PORT: 'tcp://10.0.0.2:80',
      PGDATA: '/var/lib/postgresql/data',
      MY_BACKUP_THING: '1',
    };
    expect(load(env).source.connection.port).toBe(5432);
  });

  test.each(['{ "dump": ', '[]', '"text"', '{"source": {"password": "hunter22", }}'])(
    'a file that is no JSON object: %s',
    async (content) => {
      const path = await file('production.json', content);
      const lines = problems();
      expect(lines).toEqual([expect.stringContaining(`(${path}): expected`)]);
      expect(lines[0]).not.toContain('hunter22');
    },
  );

  test.each([
    [{ BACKUP_LEVEL: '10' }, /^dump\.level \(environment variable BACKUP_LEVEL\): .* 1 to 9 for gzip, got 10/],
    [{ PGSSLMODE: 'verify-full' }, /^source\.tls\.ca /],
    [{ PGSSLMODE: 'allow' }, /expected one of disable, prefer/],
    [{ PGSSLROOTCERT: '/nonexistent.pem' }, /^source\.tls\.ca \(environment variable PGSSLROOTCERT\): expected a file/],
    [{ AWS_ACCESS_KEY_ID: 'AKIA' }, /^targets\.s3\.secretAccessKey .*together/],
    [{ BACKUP_LOCAL: 'no' }, /^targets\.local\.enabled \(environment variable BACKUP_LOCAL\): expected at least one target/],
    [{ BACKUP_LOCAL: 'maybe' }, /expected true or false, got "maybe"/],
    [{ BACKUP_S3_BUCKET: 'Not_A_Bucket' }, /^targets\.s3\.bucket/],
    [{ BACKUP_S3_ENDPOINT: 'minio:9000' }, /^targets\.s3\.endpoint/],
    [{ TZ: 'Mars/Olympus' }, /^schedule\.timeZone .*got "Mars\/Olympus"/],
    [{ BACKUP_WORKERS: '0' }, /^dump\.workers .*from 1 to 64, or auto/],
    [{ BACKUP_PROGRAM_DIRECTORIES: 'bin:/usr/bin' }, /^programs\.directories /],
    [{ POSTGRES_PORT: 'tcp://10.0.0.1:5432' }, /enableServiceLinks/],
  ])('a value that cannot be meant: %j', (env, expected) => {
    expect(problems(env as Record<string, string>)).toEqual([expect.stringMatching(expected)]);
  });

  test('zstd has more levels than gzip', () => {
    expect(load({ BACKUP_CODEC: 'zstd', BACKUP_LEVEL: '19' }).dump.level).toBe(19);
  });

  test.each(['0 2 * * *', '*/5 * * * *', '0 4 1-7 * 0', '30 0 2 * * mon-fri', '0 2,14 * jan,jul *'])(
    'a schedule: %s',
    (schedule) => {
      expect(load({ BACKUP_SCHEDULE: schedule }).schedule.backup).toBe(schedule);
    },
  );

  test.each(['daily', '60 * * * *', '* * * *', '0 2 * 13 *', '0 5-2 * * *', '0 2 * * * * *', '*/0 * * * *', '0 2 * * mon-'])(
    'no schedule: %s',
    (schedule) => {
      expect(problems({ BACKUP_SCHEDULE: schedule })).toEqual([expect.stringMatching(/^schedule\.backup .*cron expression/)]);
    },
  );
});

describe('targets', () => {
  test('the local one can be switched off when there is a bucket', () => {
    const { targets } = load({ BACKUP_LOCAL: 'false', BACKUP_S3_BUCKET: 'my-bucket' });
    expect(targets).toEqual({ s3: { bucket: 'my-bucket', prefix: 'database-backups', pathStyle: false } });
  });

  test('a server of one’s own is addressed by path, unless told otherwise; slashes around the prefix do not matter', () => {
    const env = {
      BACKUP_S3_BUCKET: 'b-1',
      BACKUP_S3_ENDPOINT: 'http://minio:9000',
      BACKUP_S3_PREFIX: '/a/b/',
      AWS_REGION: 'eu-west-1',
    };
    expect(load(env).targets.s3).toEqual({
      bucket: 'b-1',
      prefix: 'a/b',
      endpoint: 'http://minio:9000',
      region: 'eu-west-1',
      pathStyle: true,
    });
    expect(load({ ...env, BACKUP_S3_PATH_STYLE: 'false' }).targets.s3?.pathStyle).toBe(false);
  });
});

describe('secrets', () => {
  test('come from files, without the line end', async () => {
    const password = await file('password', 'pass word\n');
    const secret = await file('secret', 'aws-secret\r\n');
    const config = load({
      POSTGRES_PASSWORD_FILE: password,
      BACKUP_S3_BUCKET: 'my-bucket',
      AWS_ACCESS_KEY_ID: 'AKIA',
      AWS_SECRET_ACCESS_KEY_FILE: secret,
    });
    expect(config.source.connection.password).toBe('pass word');
    expect(config.targets.s3?.credentials?.secretAccessKey).toBe('aws-secret');
  });

  test('from a file and a variable at once, from no file or from an empty one are problems', async () => {
    const empty = await file('empty', '\n');
    expect(problems({ POSTGRES_PASSWORD: 'hunter22', POSTGRES_PASSWORD_FILE: empty })).toEqual([
      expect.stringContaining('POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are both set'),
    ]);
    expect(problems({ POSTGRES_PASSWORD_FILE: empty })).toEqual([expect.stringContaining('the file is empty')]);
    expect(problems({ AWS_SECRET_ACCESS_KEY_FILE: '/nonexistent' })).toEqual([expect.stringContaining('/nonexistent')]);
  });

  test('are found in a file of passwords when none is set', async () => {
    const passfile = await file('.pgpass', '# comment\nother:*:*:*:no\n*:5432:sh\\:op:backup:se\\:c\\\\ret\n*:*:*:*:last\n');
    const login = { POSTGRES_DB: 'sh:op', POSTGRES_USER: 'backup' };
    expect(load({ ...login, PGPASSFILE: passfile }).source.connection.password).toBe('se:c\\ret');
    expect(load({ ...login, HOME: folder }).source.connection.password).toBe('se:c\\ret');
    expect(load({ PGPASSFILE: passfile, PGUSER: 'x' }).source.connection.password).toBe('last');
    expect(load({ ...login, PGPASSFILE: passfile, PGPASSWORD: 'stronger' }).source.connection.password).toBe('stronger');
    expect(problems({ PGPASSFILE: '/nonexistent' })).toEqual([expect.stringContaining('source.passwordFile')]);
  });

  test('of the server of a drill come from a file, are masked, and its TLS has the rules of the source', async () => {
    expect(load({}).drill.target).toBeUndefined();
    const config = load({
      DRILL_TARGET_HOST: 'staging',
      DRILL_TARGET_PASSWORD_FILE: await file('drill-password', 'scratch pass\n'),
      DRILL_TARGET_SSLMODE: 'require',
    });
    expect({ ...config.drill.target }).toMatchObject({
      ...{ host: 'staging', port: 5432, database: 'postgres', user: 'postgres', password: 'scratch pass' },
      tls: { mode: 'require' },
    });
    expect(JSON.stringify(config) + inspect(config, { depth: 9 })).not.toContain('scratch pass');
    expect(config.redact('it is scratch pass')).toBe('it is ***');
    expect(problems({ DRILL_TARGET_HOST: 'staging', DRILL_TARGET_SSLMODE: 'verify-full' })).toEqual([
      expect.stringContaining('DRILL_TARGET_SSLROOTCERT'),
    ]);
  });

  test('are not shown by whatever prints the configuration', () => {
    const config = load({
      POSTGRES_PASSWORD: 'hunter22',
      BACKUP_S3_BUCKET: 'my-bucket',
      AWS_ACCESS_KEY_ID: 'AKIA',
      AWS_SECRET_ACCESS_KEY: 'aws-secret',
      AWS_SESSION_TOKEN: 'aws-token',
    });
    const shown = [
      JSON.stringify(config),
      JSON.stringify(config.source.connection),
      inspect(config, { depth: 10, showHidden: true }),
      inspect(config.targets.s3, { depth: 10 }),
    ].join('\n');
    expect(shown).not.toMatch(/hunter22|aws-secret|aws-token/);
    expect(shown).toContain('***');
    expect(config.redact('a hunter22 b aws-token')).toBe('a *** b ***');
  });

  test('survive a copy and the way to a worker thread', () => {
    const { connection } = load({ POSTGRES_PASSWORD: 'hunter22' }).source;
    expect({ ...connection, database: 'other' }.password).toBe('hunter22');
    expect(structuredClone(connection).password).toBe('hunter22');
  });

  test('are not repeated by a problem about them', () => {
    const lines = problems({ AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'with space inside' });
    expect(lines.join('\n')).not.toContain('with space');
    expect(lines[0]).toContain('targets.s3.secretAccessKey');
  });
});
