import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfigs, type Configs } from '../../../src/config.ts';
import { chooseSource, configOfDatabase, covers } from '../../../src/config/choose-source.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sources-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function files(contents: Record<string, object | string>): Promise<void> {
  for (const [name, content] of Object.entries(contents)) {
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
}

function load(env: Record<string, string> = {}): Configs {
  return loadConfigs({ env, configDirectory: folder });
}

function problems(env: Record<string, string> = {}): string[] {
  try {
    load(env);
  } catch (error) {
    return (error as Error).message.split('\n- ').slice(1);
  }
  throw new Error('the configuration was accepted');
}

const by = ({ sources }: Configs, name: string) => sources.find(({ source }) => source.name === name)!;

describe('Sources', () => {
  test('have what they say themselves, and for the rest what holds for all', async () => {
    await files({
      'default.json': {
        source: { host: 'db.example.com', user: 'backup' },
        schedule: { backup: '0 1 * * *' },
        retention: { days: 14 },
        sources: {
          shop: { database: 'shop', drill: { rpoMinutes: 5 }, targets: { s3: { bucket: 'shop-backups' } } },
          crm: { host: 'crm.example.com', database: 'crm', schedule: { backup: '30 2 * * *' }, dump: { codec: 'zstd' } },
        },
      },
    });
    const configs = load({ BACKUP_DIR: folder });
    expect(configs.sources.map(({ source }) => source.name)).toEqual(['shop', 'crm']);
    expect(by(configs, 'shop')).toMatchObject({
      source: { named: true, connection: { host: 'db.example.com', user: 'backup', database: 'shop' } },
      schedule: { backup: '0 1 * * *' },
      drill: { rpoMinutes: 5, rtoMinutes: 30 },
      targets: { local: { directory: folder }, s3: { bucket: 'shop-backups' } },
      retention: { rules: { days: 14 } },
    });
    const crm = by(configs, 'crm');
    expect(crm).toMatchObject({
      source: { connection: { host: 'crm.example.com', user: 'backup', database: 'crm' } },
      schedule: { backup: '30 2 * * *' },
      dump: { codec: 'zstd' },
      drill: { rpoMinutes: 60 },
    });
    expect(crm.targets.s3).toBeUndefined();
    expect(configs.shared.paths.reports).toBe(join(folder, 'logs'));
  });

  test('are stronger than variables, and the file of the environment adds to default.json key by key', async () => {
    await files({
      'default.json': { sources: { shop: { database: 'shop', host: 'one', port: 6000 } } },
      'staging.json': { sources: { shop: { host: 'two' }, extra: { database: 'extra' } } },
    });
    const configs = load({ DB_BACKUP_ENV: 'staging', POSTGRES_HOST: 'three', BACKUP_SCHEDULE: '5 5 * * *' });
    expect(by(configs, 'shop').source.connection).toMatchObject({ host: 'two', port: 6000 });
    expect(by(configs, 'extra').source.connection.host).toBe('three');
    expect(by(configs, 'shop').schedule.backup).toBe('5 5 * * *');
  });

  test('read secrets from files, and none of them is ever shown', async () => {
    await files({
      'default.json': {
        sources: {
          shop: { database: 'shop', password: { file: join(folder, 'shop.txt') } },
          crm: { database: 'crm', targets: { s3: { bucket: 'crm-backups', accessKeyId: 'AK', secretAccessKey: 'crm-key' } } },
        },
      },
      'shop.txt': 'shop secret\n',
    });
    const configs = load({ POSTGRES_PASSWORD: 'common secret' });
    expect(by(configs, 'shop').source.connection.password).toBe('shop secret');
    expect(by(configs, 'crm').source.connection.password).toBe('common secret');
    const texts = JSON.stringify(configs) + configs.shared.redact('shop secret, crm-key, common secret');
    expect(texts).toContain('***, ***, ***');
    expect(texts).not.toMatch(/shop secret|crm-key|common secret/);
  });

  test('are refused with all that is wrong at once: where, and what was expected', async () => {
    await files({
      'default.json': {
        dump: { level: 12 },
        sources: {
          shop: { databse: 'shop', port: 'many', schedule: { backup: 'at night' }, password: { file: '/nonexistent/secret' } },
          'a/b': { database: 'x', tls: { mode: 'verify-full' } },
          crm: { database: 'crm', log: { level: 'debug' } },
        },
      },
    });
    const at = `default.json`;
    expect(problems()).toEqual([
      expect.stringMatching(/^sources\.shop\.databse \(.*default\.json\): there is no such setting; did you mean database\?/),
      expect.stringMatching(/^sources\.shop\.port .*expected a whole number from 1 to 65535, got "many"/),
      expect.stringMatching(/^sources\.shop\.schedule\.backup .*cron expression.*"at night"/),
      expect.stringMatching(/^sources\.shop\.password \(file \/nonexistent\/secret .*cannot be read: ENOENT/),
      expect.stringMatching(/^sources\.crm\.log .*there is no such setting/),
      expect.stringMatching(/^sources\.a\/b .*expected a name/),
      expect.stringMatching(/^sources\.shop\.database \(default\): expected the name of the database/),
      expect.stringMatching(new RegExp(`^dump\\.level \\(.*${at}\\): expected a whole number from 1 to 9 for gzip`)),
      expect.stringMatching(/^sources\.a\/b\.tls\.ca .*certificate authorities/),
    ]);
  });

  test('do not go together with the variables that name one database, or with one ping for all', async () => {
    await files({ 'default.json': { sources: { shop: { database: 'shop' }, crm: { database: 'crm' } } } });
    expect(problems({ POSTGRES_DB: 'shop', BACKUP_PING_URL: 'http://ping.example.com/1' })).toEqual([
      expect.stringMatching(/^source\.database \(environment variable POSTGRES_DB\): .*list of them/),
      expect.stringMatching(/^notify\.ping\.backup .*below each source/),
    ]);
  });

  test('are chosen by name; a clear error lists them', async () => {
    await files({ 'default.json': { sources: { shop: { database: 'shop' }, crm: { database: 'crm' } } } });
    const configs = load();
    expect(chooseSource(configs, 'crm').source.name).toBe('crm');
    for (const name of [undefined, 'cmr']) {
      expect(() => chooseSource(configs, name)).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: 'Name one with --source: shop, crm.' }),
      );
    }
  });

  test('may stand for every database of a server', async () => {
    await files({ 'default.json': { sources: { crm: { database: '*', exclude: ['test_*'] }, shop: { database: 'shop' } } } });
    const configs = load({ POSTGRES_PASSWORD: 'common secret' });
    const crm = by(configs, 'crm');
    expect(crm.source).toMatchObject({ every: { exclude: ['test_*'] }, connection: { database: 'postgres' } });
    expect(['crm.a', 'crm.a.b', 'crm', 'crm.', 'crmx.a'].filter((name) => covers(crm, name))).toEqual(['crm.a', 'crm.a.b']);
    const one = configOfDatabase(crm, 'a');
    expect(one.source).toMatchObject({
      name: 'crm.a',
      named: true,
      listed: true,
      connection: { database: 'a', password: 'common secret' },
    });
    expect(one.source.every).toBeUndefined();
    expect(JSON.stringify(one)).not.toContain('common secret');
    expect(one.redact('common secret')).toBe('***');
    expect(chooseSource(configs, 'crm.x')).toEqual(configOfDatabase(crm, 'x'));
    expect(() => chooseSource(configs, 'crm.')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('crm.<database>, shop') }),
    );
    await files({ 'default.json': { sources: { crm: { database: '*' }, 'crm.a': { database: 'a' } } } });
    expect(problems()).toEqual([expect.stringMatching(/^sources\.crm\.a \(its name\).*does not begin with "crm\."/)]);
  });

  test('of every database need a name where they are named by variables', async () => {
    expect(problems({ POSTGRES_DB: '*' })).toEqual([expect.stringMatching(/^source\.name .*BACKUP_SOURCE_NAME/)]);
    const [only] = load({ POSTGRES_DB: '*', BACKUP_SOURCE_NAME: 'all', BACKUP_EXCLUDE_DATABASES: 'a, b*' }).sources;
    expect(only!.source).toMatchObject({ name: 'all', listed: true, every: { exclude: ['a', 'b*'] } });
  });
});
