import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { syncFiles } from '../../../src/jobs/sync-files.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sync-files-'));
  await mkdir(join(folder, 'base/1'), { recursive: true });
  for (const name of ['PG_VERSION', 'base/1/1', 'base/1/2', 'base/1/3']) await writeFile(join(folder, name), name);
});

afterEach(async () => await rm(folder, { recursive: true }));

test('all files are synced, and no links are followed', async () => {
  await symlink(join(folder, 'nowhere'), join(folder, 'broken'));
  await symlink(folder, join(folder, 'base/circle'));
  await syncFiles([folder, join(folder, 'base')], new AbortController().signal);
});

test('an abort ends it', async () => {
  await expect(syncFiles([folder], AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
});

test('a folder that cannot be read is an error', async () => {
  await expect(syncFiles([join(folder, 'nowhere')], new AbortController().signal)).rejects.toMatchObject({ code: 'ENOENT' });
});
