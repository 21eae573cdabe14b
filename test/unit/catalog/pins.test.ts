import { beforeEach, describe, expect, test } from '@jest/globals';
import { listBackups } from '../../../src/catalog/catalog.ts';
import { serializeManifest } from '../../../src/catalog/manifest-file.ts';
import { dumpKey, SIDE } from '../../../src/catalog/names.ts';
import { isPinned, pinBackup, readPin, unpinBackup } from '../../../src/catalog/pins.ts';
import { removeBackup } from '../../../src/catalog/removal.ts';
import { createFaultyStorage } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { keysOf } from '../../support/content.ts';
import { putBytes } from '../../support/make-backup.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const manifest = sampleManifest();
const key = dumpKey(manifest.label, 'gzip');
const PIN = { pinnedAt: '2026-01-05T10:00:00.000Z', reason: 'before the migration' };
let local: Storage;
let s3: Storage;

beforeEach(async () => {
  local = createMemoryStorage({ name: 'local' });
  s3 = createMemoryStorage({ name: 's3' });
  for (const target of [local, s3]) {
    await putBytes(target, key, Buffer.alloc(60));
    await putBytes(target, key + SIDE.manifest, serializeManifest(manifest));
  }
});

describe('a pin', () => {
  test('is seen by the listing on whichever target it is, until it is gone from all', async () => {
    expect(await readPin([local, s3], key)).toBeUndefined();
    await pinBackup([s3], key, PIN);
    expect((await listBackups([local, s3])).backups).toMatchObject([{ pinned: true, state: 'complete' }]);
    expect(await isPinned([local, s3], key)).toBe(true);
    expect(await readPin([local, s3], key)).toEqual(PIN);
    await unpinBackup([local, s3], key);
    expect(await isPinned([local, s3], key)).toBe(false);
    expect((await listBackups([local, s3])).backups[0]).not.toHaveProperty('pinned');
  });

  test('holds even when what is in its file cannot be read', async () => {
    await putBytes(local, key + SIDE.pin, Buffer.from('{'));
    expect(await readPin([local], key)).toEqual({ pinnedAt: expect.any(String) });
  });

  test('that comes while the removal is about to begin calls it off; one that comes later is refused', async () => {
    const before = await keysOf(local);
    // Set after the marker stands, before anything is gone.
    const confirm = async () => {
      await expect(pinBackup([local], key, PIN)).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
      return !(await isPinned([local], key));
    };
    expect(await removeBackup(local, key, { confirm })).toBe(false);
    expect(await keysOf(local)).toEqual([...before, key + SIDE.pin].sort());
    await unpinBackup([local], key);
    expect(await removeBackup(local, key, { confirm: async () => !(await isPinned([local], key)) })).toBe(true);
    expect(await keysOf(local)).toEqual([]);
  });

  test('keeps nothing where the removal has taken all but its marker', async () => {
    const stuck = createFaultyStorage(local, [{ operation: 'remove', kind: 'fail', key: /\.expired$/ }]);
    await expect(removeBackup(stuck, key)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await expect(pinBackup([local, s3], key, PIN)).rejects.toMatchObject({ code: 'BACKUP_UNKNOWN' });
    const confirm = async () => !(await isPinned([local, s3], key));
    expect(await removeBackup(local, key, { confirm })).toBe(true);
    expect(await keysOf(local)).toEqual([]);
    expect(await isPinned([s3], key)).toBe(true);
  });

  test('that one target cannot take back stays in force, and is said', async () => {
    await pinBackup([local, s3], key, PIN);
    const stubborn: Storage = { ...local, remove: () => Promise.reject(new Error('read-only')) };
    await expect(unpinBackup([stubborn, s3], key)).rejects.toMatchObject({ message: 'read-only' });
    expect(await isPinned([local], key)).toBe(true);
    expect(await isPinned([s3], key)).toBe(false);
  });
});
