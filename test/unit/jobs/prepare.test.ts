import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { checkTargets } from '../../../src/jobs/check-targets.ts';
import { chooseLabel } from '../../../src/jobs/choose-label.ts';
import { expectedSize } from '../../../src/jobs/expected-size.ts';
import { sweepLeftovers } from '../../../src/jobs/sweep-leftovers.ts';
import { bytesContent } from '../../../src/storage/content.ts';
import { createFaultyStorage } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';

const { signal } = new AbortController();
const STARTED = new Date('2026-01-02T03:04:05.678Z');

async function holding(name: string, ...objects: (readonly [key: string, bytes?: number])[]): Promise<Storage> {
  const storage = createMemoryStorage({ name });
  for (const [key, bytes = 1] of objects) await storage.put(key, bytesContent(new Uint8Array(bytes)));
  return storage;
}

function broken(name: string, operation: 'probe' | 'list', error?: Error): Storage {
  return createFaultyStorage(createMemoryStorage({ name }), [{ operation, kind: 'fail', ...(error && { error }) }]);
}

describe('Checking targets', () => {
  test('tells the usable from the others, with the reason', async () => {
    const [local, s3] = [await holding('local'), broken('s3', 'probe')];
    const checked = await checkTargets([local, s3], signal);
    expect(checked.usable).toEqual([local]);
    expect(checked.failed).toMatchObject([{ target: s3, error: { code: 'STORAGE_UNAVAILABLE' } }]);
  });

  test("fails with the only target's own error", async () => {
    const denied = new BackupError('STORAGE_DENIED', 'no permission');
    await expect(checkTargets([broken('s3', 'probe', denied)], signal)).rejects.toBe(denied);
  });

  test('fails with all reasons when several are not usable', async () => {
    await expect(checkTargets([broken('local', 'probe'), broken('s3', 'probe')], signal)).rejects.toMatchObject({
      code: 'STORAGE_NO_TARGET',
      message: expect.stringMatching(/local: .*s3: /),
    });
  });
});

describe('The label', () => {
  test('is that of the start', async () => {
    expect(await chooseLabel('shop', STARTED, [await holding('local')], signal)).toBe('backup_shop_20260102_030405');
  });

  test('is that of the next free second when any target has anything under it, be it left over', async () => {
    const local = await holding('local', ['full/backup_shop_20260102_030405.sql.gz']);
    const s3 = await holding('s3', ['full/backup_shop_20260102_030406.sql.zst.toc']);
    expect(await chooseLabel('shop', STARTED, [local, s3], signal)).toBe('backup_shop_20260102_030407');
  });
});

describe('The expected size', () => {
  test('is that of the database before the first backup', async () => {
    expect(await expectedSize('shop', 'gzip', 1000, await holding('local'), signal)).toBe(1000);
  });

  test('is somewhat more than the newest dump of the same source and codec', async () => {
    const local = await holding(
      'local',
      ['full/backup_shop_20260101_000000.sql.gz', 5000],
      ['full/backup_shop_20260102_000000.sql.gz', 800],
      ['full/backup_shop_20260103_000000.sql.zst', 6000],
      ['full/backup_other_20260103_000000.sql.gz', 7000],
    );
    expect(await expectedSize('shop', 'gzip', 1000, local, signal)).toBe(1000);
    expect(await expectedSize('shop', 'gzip', 10_000, local, signal)).toBe(5000);
  });
});

describe('Sweeping', () => {
  const objects = [
    ['full/backup_shop_20260101_000000.sql.gz.toc'],
    ['full/backup_shop_20260102_000000.sql.gz'],
    ['full/backup_shop_20260102_000000.sql.gz.toc'],
  ] as const;

  test('removes side files without a dump and never a dump', async () => {
    const local = await holding('local', ...objects);
    const removed = await sweepLeftovers({ usable: [local], complete: true, reports: [], before: STARTED }, signal);
    expect(removed).toEqual([local.location('full/backup_shop_20260101_000000.sql.gz.toc')]);
    expect(await local.head('full/backup_shop_20260102_000000.sql.gz')).toBeDefined();
    expect(await local.head('full/backup_shop_20260102_000000.sql.gz.toc')).toBeDefined();
  });

  test('leaves side files alone while a target that may hold their dump cannot be asked', async () => {
    const local = await holding('local', ...objects);
    expect(await sweepLeftovers({ usable: [local], complete: false, reports: [], before: STARTED }, signal)).toEqual([]);
    expect(await local.head('full/backup_shop_20260101_000000.sql.gz.toc')).toBeDefined();
  });
});
