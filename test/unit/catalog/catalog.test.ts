import { beforeEach, describe, expect, test } from '@jest/globals';

import { isGood } from '../../../src/catalog/backup.ts';
import { listBackups } from '../../../src/catalog/catalog.ts';
import { findBackup, searchBackup } from '../../../src/catalog/find-backup.ts';
import { findSideFilesWithoutDump } from '../../../src/catalog/leftovers.ts';
import { serializeManifest } from '../../../src/catalog/manifest-file.ts';
import type { Manifest } from '../../../src/catalog/manifest.ts';
import { dumpKey, SIDE } from '../../../src/catalog/names.ts';
import { removeBackup, writeOrder } from '../../../src/catalog/removal.ts';
import { BackupError } from '../../../src/errors.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { keysOf } from '../../support/content.ts';
import { putBytes } from '../../support/make-backup.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const MONDAY = new Date('2026-01-05T02:00:00Z');
const TUESDAY = new Date('2026-01-06T02:00:00Z');
let local: Storage;
let s3: Storage;

beforeEach(() => {
  local = createMemoryStorage({ name: 'local' });
  s3 = createMemoryStorage({ name: 's3' });
});

async function store(target: Storage, started = MONDAY, changes: Partial<Manifest> = {}): Promise<string> {
  const manifest = sampleManifest(changes, started);
  const key = dumpKey(manifest.label, 'gzip');
  await putBytes(target, key + SIDE.toc, Buffer.alloc(5));
  await putBytes(target, key + SIDE.globals, Buffer.alloc(6));
  await putBytes(target, key, Buffer.alloc(60));
  await putBytes(target, key + SIDE.manifest, serializeManifest(manifest));
  return key;
}

async function only(targets: readonly Storage[]): Promise<Record<string, unknown>> {
  const { backups } = await listBackups(targets);
  expect(backups).toHaveLength(1);
  const { state, copies } = backups[0]!;
  return { state, ...Object.fromEntries(copies.map((copy) => [copy.target, copy.state])) };
}

/** A target that cannot be listed. */
function unreachable(name: string): Storage {
  const fail = (): never => {
    throw new BackupError('STORAGE_UNAVAILABLE', `${name} does not answer`);
  };
  return {
    ...createMemoryStorage({ name }),
    list: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => fail() }) }),
    get: fail,
    head: async () => fail(),
  };
}

describe('the listing', () => {
  test('merges the targets and puts the newest first', async () => {
    await store(local, MONDAY);
    await store(s3, MONDAY);
    await store(s3, TUESDAY);
    await putBytes(local, 'full/README.txt', Buffer.from('not a dump'));
    const { backups, unreachable: silent } = await listBackups([local, s3]);
    expect(backups.map(({ label, state }) => [label, state])).toEqual([
      ['backup_shop_20260106_020000', 'complete'],
      ['backup_shop_20260105_020000', 'complete'],
    ]);
    expect(backups.map(({ copies }) => copies.map(({ target, state }) => `${target} ${state}`))).toEqual([
      ['local missing', 's3 whole'],
      ['local whole', 's3 whole'],
    ]);
    expect(silent).toEqual([]);
    expect(backups[0]!.manifest?.tables).toHaveLength(1);
  });

  test('calls a backup incomplete that lacks something of the database', async () => {
    await store(local, MONDAY, {
      outcome: 'incomplete',
      omitted: [{ kind: 'object', object: 'subscription s', reason: 'no rights' }],
    });
    expect(await only([local])).toEqual({ state: 'incomplete', local: 'whole' });
  });

  test('calls a backup damaged when no target has the whole dump', async () => {
    const key = await store(local);
    await store(s3);
    await putBytes(local, key, Buffer.alloc(59));
    expect(await only([local, s3])).toEqual({ state: 'complete', local: 'size-differs', s3: 'whole' });
    await s3.remove(key);
    expect(await only([local, s3])).toEqual({ state: 'damaged', local: 'size-differs', s3: 'missing' });
    await local.remove(key);
    const { backups } = await listBackups([local, s3]);
    expect(backups[0]).toMatchObject({ state: 'damaged', problem: expect.stringContaining('local: missing') });
  });

  test('never calls a dump good without its manifest, and never leaves it out', async () => {
    const key = await store(local);
    await local.remove(key + SIDE.manifest);
    expect(await only([local])).toEqual({ state: 'unindexed', local: 'manifest-missing' });
    await store(s3);
    expect(await only([local, s3])).toEqual({ state: 'complete', local: 'manifest-missing', s3: 'whole' });
  });

  test('tells a damaged manifest from one of a newer format', async () => {
    const key = await store(local);
    await putBytes(local, key + SIDE.manifest, Buffer.from('{'));
    expect(await only([local])).toEqual({ state: 'damaged', local: 'unjudged' });
    await putBytes(local, key + SIDE.manifest, Buffer.from('{"formatVersion": 99}'));
    expect(await only([local])).toEqual({ state: 'newer-format', local: 'unjudged' });
    await store(s3);
    expect(await only([local, s3])).toEqual({ state: 'complete', local: 'whole', s3: 'whole' });
  });

  test('says where side files are missing or differ; the dump restores without them', async () => {
    const key = await store(local);
    await local.remove(key + SIDE.toc);
    expect(await only([local])).toEqual({ state: 'complete', local: 'side-file-missing' });
    const { backups } = await listBackups([local]);
    expect(backups[0]!.copies[0]!.detail).toContain('.toc is missing');
  });

  test('does not call a copy good whose removal has begun; another target may keep its own', async () => {
    const key = await store(local);
    await store(s3);
    await putBytes(s3, key + SIDE.expired, Buffer.alloc(0));
    expect(await only([local, s3])).toEqual({ state: 'complete', local: 'whole', s3: 'expired' });
    expect(await only([s3])).toEqual({ state: 'expired', s3: 'expired' });
    await s3.remove(key + SIDE.manifest);
    expect(await only([local, s3])).toEqual({ state: 'complete', local: 'whole', s3: 'expired' });
    await removeBackup(local, key);
    expect(await only([local, s3])).toEqual({ state: 'expired', local: 'missing', s3: 'expired' });
    // Until the removal is finished, which takes the marker.
    await s3.remove(key);
    expect(await only([local, s3])).toEqual({ state: 'expired', local: 'missing', s3: 'expired' });
    const { backups } = await listBackups([local, s3]);
    expect(backups.some(isGood)).toBe(false);
    await putBytes(local, key, Buffer.alloc(60));
    expect(await only([local, s3])).toEqual({ state: 'unindexed', local: 'manifest-missing', s3: 'expired' });
  });

  test('throws when a target cannot be listed, unless told that it may be', async () => {
    const key = await store(local);
    const silent = unreachable('s3');
    await expect(listBackups([local, silent])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    const listing = await listBackups([local, silent], { allowUnreachable: true });
    expect(listing.unreachable).toMatchObject([{ target: 's3', error: { code: 'STORAGE_UNAVAILABLE' } }]);
    expect(listing.backups[0]).toMatchObject({ state: 'complete', copies: [{ state: 'whole' }, { state: 'unreachable' }] });
    await local.remove(key + SIDE.manifest);
    const unknown = await listBackups([local, silent], { allowUnreachable: true });
    expect(unknown.backups[0]).toMatchObject({ state: 'unknown', problem: expect.stringContaining('s3') });
  });
});

describe('a backup', () => {
  beforeEach(async () => {
    await store(local, MONDAY);
    await store(local, TUESDAY, { outcome: 'incomplete' });
  });

  test.each([
    'backup_shop_20260105_020000',
    'backup_shop_20260105_020000.sql.gz',
    'full/backup_shop_20260105_020000.sql.gz',
    'latest',
  ])('is found by %s', async (what) => {
    expect(await findBackup([local], what)).toMatchObject({ label: 'backup_shop_20260105_020000' });
  });

  test('that is unknown is an error that names the newest', async () => {
    await expect(findBackup([local], 'backup_shop_19990101_000000')).rejects.toMatchObject({
      code: 'BACKUP_UNKNOWN',
      hint: expect.stringContaining('backup_shop_20260106_020000'),
    });
    await expect(findBackup([s3], 'latest')).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
    await expect(findBackup([local], 'latest', { source: 'other' })).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
  });

  test('that is only incomplete is not the latest, but offered', async () => {
    await removeBackup(local, dumpKey('backup_shop_20260105_020000', 'gzip'));
    await expect(findBackup([local], 'latest')).rejects.toMatchObject({
      hint: expect.stringContaining('backup_shop_20260106_020000 (incomplete)'),
    });
  });

  test('is the latest with what is newer and was passed over, and with the targets that may hold a newer one', async () => {
    const found = await searchBackup([local, unreachable('s3')], 'latest', { allowUnreachable: true });
    expect(found).toMatchObject({
      backup: { label: 'backup_shop_20260105_020000' },
      skipped: [{ label: 'backup_shop_20260106_020000', state: 'incomplete' }],
      unreachable: [{ target: 's3', error: { code: 'STORAGE_UNAVAILABLE' } }],
    });
  });

  test('is the latest of any state when that is asked for, unless its removal has begun', async () => {
    const newest = dumpKey('backup_shop_20260106_020000', 'gzip');
    await putBytes(local, newest, Buffer.alloc(3));
    expect(await searchBackup([local], 'latest', { latest: 'any' })).toMatchObject({ backup: { key: newest }, skipped: [] });
    await putBytes(local, newest + SIDE.expired, Buffer.alloc(1));
    expect(await findBackup([local], 'latest', { latest: 'any' })).toMatchObject({ label: 'backup_shop_20260105_020000' });
  });

  test('is removed wholly, and is not good at any moment of it', async () => {
    const key = dumpKey('backup_shop_20260105_020000', 'gzip');
    const removed: string[] = [];
    const watched: Storage = {
      ...local,
      async remove(each, signal) {
        const { backups } = await listBackups([local]);
        expect(backups.filter((backup) => backup.key === key && isGood(backup))).toEqual([]);
        removed.push(each.slice(key.length));
        await local.remove(each, signal);
      },
    };
    await removeBackup(watched, key);
    expect((await listBackups([local])).backups).not.toContainEqual(expect.objectContaining({ key }));
    expect(removed).toEqual(['.meta', '.toc', '.globals.gz', '.pin', '', '.expired']);
    expect(await keysOf(local, key)).toEqual([]);
    await removeBackup(local, key);
    expect(await keysOf(local, key)).toEqual([]);
  });
});

describe('leftovers', () => {
  test('are side files of no dump; whatever a killed run leaves is a leftover or listed, never both', async () => {
    const key = dumpKey('backup_shop_20260105_020000', 'gzip');
    for (const written of writeOrder(key)) {
      await putBytes(local, written, Buffer.from('{'));
      const leftovers = await findSideFilesWithoutDump([local]);
      const { backups } = await listBackups([local]);
      expect([leftovers.length > 0, backups.length > 0]).toContain(true);
      expect(leftovers.length > 0 && backups.length > 0).toBe(false);
      expect(backups.some(isGood)).toBe(false);
    }
  });

  test('are not the side files of a dump that another target holds', async () => {
    const key = await store(local);
    await putBytes(s3, key + SIDE.toc, Buffer.alloc(5));
    expect(await findSideFilesWithoutDump([local, s3])).toEqual([]);
    expect(await findSideFilesWithoutDump([s3])).toEqual([{ target: 's3', key: key + SIDE.toc }]);
  });

  test('are found of the source asked for; dumps and manifests never are', async () => {
    await store(local, MONDAY);
    const unindexed = await store(local, TUESDAY);
    await local.remove(unindexed + SIDE.manifest);
    const lost = dumpKey('backup_shop_20260107_020000', 'gzip');
    await putBytes(local, lost + SIDE.manifest, Buffer.from('{}'));
    const orphan = dumpKey('backup_shop_20260108_020000', 'gzip');
    await putBytes(local, orphan + SIDE.globals, Buffer.alloc(1));
    const begun = dumpKey('backup_shop_20260109_020000', 'gzip');
    for (const side of [SIDE.expired, SIDE.pin]) await putBytes(local, begun + side, Buffer.alloc(0));
    await putBytes(local, dumpKey('backup_shop%5Feast_20260108_020000', 'gzip') + SIDE.toc, Buffer.alloc(1));
    expect((await findSideFilesWithoutDump([local], { source: 'shop' })).map(({ key }) => key)).toEqual([orphan + SIDE.globals]);
  });

  test('are not looked for when a target cannot be listed', async () => {
    await putBytes(local, `${dumpKey('backup_shop_20260105_020000', 'gzip')}.toc`, Buffer.alloc(1));
    await expect(findSideFilesWithoutDump([local, unreachable('s3')])).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
    expect(await keysOf(local)).toHaveLength(1);
  });
});
