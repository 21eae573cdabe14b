import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { describeConfig } from '../../../src/config/describe.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'describe-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('Every setting is shown with where it comes from; secrets are masked wherever they are', async () => {
  const file = join(folder, 'production.json');
  const sources = { crm: { host: 'crm.example.com', password: 'of-the-crm' } };
  await writeFile(file, JSON.stringify({ dump: { workers: 3 }, sources }));
  const env = { POSTGRES_PASSWORD: 'hunter2', BACKUP_WORK_DIR: '/tmp/hunter2', DB_BACKUP_ENV: 'production' };
  const shown = describeConfig({ env, configDirectory: folder });
  const of = (key: string) => shown.settings.find((setting) => setting.key === key);
  expect(of('source.password')).toEqual({
    key: 'source.password',
    value: '***',
    origin: 'environment variable POSTGRES_PASSWORD',
  });
  expect(of('paths.work')).toMatchObject({ value: '/tmp/***' });
  expect(of('dump.workers')).toEqual({ key: 'dump.workers', value: 3, origin: file });
  expect(of('dump.codec')).toEqual({ key: 'dump.codec', value: 'gzip', origin: 'default' });
  expect(of('evidence.key')).toEqual({ key: 'evidence.key', value: '', origin: 'default' });
  expect(shown.sources).toEqual([
    {
      name: 'crm',
      settings: [
        { key: 'host', value: 'crm.example.com', origin: file },
        { key: 'password', value: '***', origin: file },
      ],
    },
  ]);
  expect(JSON.stringify(shown)).not.toMatch(/hunter2|of-the-crm/);
});
