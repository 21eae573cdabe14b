import { beforeEach, describe, expect, test } from '@jest/globals';
import { labelOf } from '../../../src/catalog/names.ts';
import { BackupError } from '../../../src/errors.ts';
import { checkTargets } from '../../../src/jobs/check-targets.ts';
import { chooseLabel, LOGICAL, PHYSICAL } from '../../../src/jobs/choose-label.ts';
import { expectedSize } from '../../../src/jobs/expected-size.ts';
import { sweepLeftovers, type SweepOptions } from '../../../src/jobs/sweep-leftovers.ts';
import { bytesContent } from '../../../src/storage/content.ts';
import { createFaultyStorage } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import type { Storage } from '../../../src/storage/storage.ts';

const { signal } = new AbortController();
const STARTED = new Date('2026-01-02T03:04:05.678Z');

function unexpected(target: string, error: BackupError): never {
  throw new Error(`${target} failed`, { cause: error });
}

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
    expect(await chooseLabel(LOGICAL, 'shop', STARTED, [await holding('local')], signal, unexpected)).toBe(
      'backup_shop_20260102_030405',
    );
  });

  test('is that of the next free second when any target has anything under it, be it left over', async () => {
    const local = await holding('local', ['full/backup_shop_20260102_030405.sql.gz']);
    const s3 = await holding('s3', ['full/backup_shop_20260102_030406.sql.zst.toc']);
    expect(await chooseLabel(LOGICAL, 'shop', STARTED, [local, s3], signal, unexpected)).toBe('backup_shop_20260102_030407');
  });

  test('of a physical backup is one that no physical backup has', async () => {
    const local = await holding('local', ['base/base_shop_20260102_030405/base.tar.gz'], ['base/base_shop_20260102_030406.meta']);
    expect(await chooseLabel(PHYSICAL, 'shop', STARTED, [local], signal, unexpected)).toBe('base_shop_20260102_030407');
  });

  test('is chosen without a target that cannot be listed, unless no other is left', async () => {
    const local = await holding('local', ['full/backup_shop_20260102_030405.sql.gz']);
    const failed: string[] = [];
    const note = (target: string) => void failed.push(target);
    expect(await chooseLabel(LOGICAL, 'shop', STARTED, [local, broken('s3', 'list')], signal, note)).toBe(
      'backup_shop_20260102_030406',
    );
    expect(failed).toEqual(['s3']);
    await expect(chooseLabel(LOGICAL, 'shop', STARTED, [broken('s3', 'list')], signal, note)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});

describe('The expected size', () => {
  test('is that of the database before the first backup', async () => {
    expect(await expectedSize('shop', 'gzip', 1000, [await holding('local')], signal, unexpected)).toBe(1000);
  });

  test('is somewhat more than the newest dump of the same source and codec', async () => {
    const local = await holding(
      'local',
      ['full/backup_shop_20260101_000000.sql.gz', 5000],
      ['full/backup_shop_20260102_000000.sql.gz', 800],
      ['full/backup_shop_20260103_000000.sql.zst', 6000],
      ['full/backup_other_20260103_000000.sql.gz', 7000],
    );
    expect(await expectedSize('shop', 'gzip', 1000, [local], signal, unexpected)).toBe(1000);
    expect(await expectedSize('shop', 'gzip', 10_000, [local], signal, unexpected)).toBe(5000);
  });

  test('is guessed without a target that cannot be listed', async () => {
    const s3 = await holding('s3', ['full/backup_shop_20260101_000000.sql.gz', 8000]);
    const failed: string[] = [];
    const note = (target: string) => void failed.push(target);
    expect(await expectedSize('shop', 'gzip', 1000, [broken('local', 'list'), s3], signal, note)).toBe(10_000);
    expect(await expectedSize('shop', 'gzip', 1000, [broken('local', 'list')], signal, note)).toBe(1000);
    expect(failed).toEqual(['local', 'local']);
  });
});

describe('Sweeping', () => {
  const HOUR_MS = 3_600_000;
  const SIDE_FILE = 'full/backup_shop_20260101_000000.sql.gz.toc';
  const objects = [
    [SIDE_FILE],
    ['full/backup_shop_20260102_000000.sql.gz'],
    ['full/backup_shop_20260102_000000.sql.gz.toc'],
  ] as const;
  const failures: string[] = [];
  const sweep = (usable: Storage[], more: Partial<SweepOptions> = {}) =>
    sweepLeftovers(
      {
        ...{ source: 'shop', usable, locked: usable[0], alone: true, complete: true, reports: [], started: STARTED },
        onFailure: (target, { code }) => failures.push(`${target}: ${code}`),
        ...more,
      },
      signal,
    );
  beforeEach(() => void failures.splice(0));

  test('removes side files without a dump and never a dump', async () => {
    const local = await holding('local', ...objects);
    expect(await sweep([local])).toEqual([local.location(SIDE_FILE)]);
    expect(await local.head('full/backup_shop_20260102_000000.sql.gz')).toBeDefined();
    expect(await local.head('full/backup_shop_20260102_000000.sql.gz.toc')).toBeDefined();
  });

  test('leaves side files alone while a target that may hold their dump cannot be asked', async () => {
    const local = await holding('local', ...objects);
    expect(await sweep([local], { complete: false })).toEqual([]);
    expect(await local.head(SIDE_FILE)).toBeDefined();
  });

  test('leaves the side files of other sources alone, however alike their names', async () => {
    const local = await holding('local', ['full/backup_shop%5Feast_20260101_000000.sql.gz.toc'], ...objects);
    expect(await sweep([local], { source: 'shop_east' })).toEqual([
      local.location('full/backup_shop%5Feast_20260101_000000.sql.gz.toc'),
    ]);
    expect(await local.head(SIDE_FILE)).toBeDefined();
  });

  test('asks a target that others write to only for what is of its own source, or old', async () => {
    const asked: [name: string, prefix: string, hours: number][] = [];
    const recording = (name: string): Storage => ({
      ...createMemoryStorage({ name }),
      sweep: (prefix, before) => {
        asked.push([name, prefix, (STARTED.getTime() - before.getTime()) / HOUR_MS]);
        return Promise.resolve([]);
      },
    });
    await sweep([recording('local'), recording('s3')], { source: 'a' });
    expect(asked).toEqual([
      ['local', 'full/', 0],
      ['local', '.probe.', 0],
      ['local', 'ledger/', 0],
      ['s3', 'full/backup_a_', 0],
      ['s3', '.probe.', 20],
      ['s3', 'ledger/', 20],
    ]);
    expect(labelOf('a_b', STARTED).startsWith('backup_a_')).toBe(false);
    // Runs of other sources have the lock of the directory, too.
    asked.splice(0);
    await sweep([recording('local')], { source: 'a', alone: false });
    expect(asked.map(([, prefix, hours]) => `${prefix} ${hours}`)).toEqual([
      'full/backup_a_ 0',
      'full/.backup_a_ 0',
      '.probe. 20',
      'ledger/ 20',
    ]);
  });

  test('goes on with the other targets when one cannot be listed or swept', async () => {
    const local = createFaultyStorage(await holding('local', ...objects), []);
    const s3 = createFaultyStorage(createMemoryStorage({ name: 's3' }), [
      { operation: 'list', kind: 'fail' },
      { operation: 'sweep', kind: 'fail' },
    ]);
    const swept: Storage = {
      ...local,
      sweep: (prefix) => Promise.resolve([{ key: `${prefix}x`, kind: 'temporary-file', started: STARTED }]),
    };
    expect(await sweep([s3, swept], { locked: swept })).toEqual(
      ['full/x', '.probe.x', 'ledger/x'].map((key) => swept.location(key)),
    );
    expect(failures).toEqual(['s3, local: STORAGE_UNAVAILABLE', ...Array<string>(3).fill('s3: STORAGE_UNAVAILABLE')]);
    expect(await local.head(SIDE_FILE)).toBeDefined();
  });

  test('ends when the run is aborted', async () => {
    const stop = AbortSignal.abort(new BackupError('ABORTED', 'stopped by a test'));
    const options = {
      source: 'shop',
      usable: [broken('s3', 'list')],
      locked: undefined,
      alone: true,
      complete: true,
      reports: [],
    };
    const onFailure = (): void => undefined;
    await expect(sweepLeftovers({ ...options, started: STARTED, onFailure }, stop)).rejects.toThrow('stopped by a test');
  });
});
