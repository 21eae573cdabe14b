import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { createDiskStorage, type DiskStorage } from '../../../src/storage/disk.ts';
import { diskError } from '../../../src/storage/disk-error.ts';
import { createFaultyStorage, type Fault } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { startReplicatedWrite, type ReplicatedWrite } from '../../../src/storage/replicated-write.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { collect, keysOf, pattern, sha256Of } from '../../support/content.ts';

const KEY = 'full/x.sql.gz';
const KIB = 1024;
const SIZE = 900 * KIB;
const repair = { attempts: 3, baseDelayMs: 1, maxDelayMs: 1 };

let root: string;
let disk: DiskStorage;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'db-backup-replicated-'));
  disk = createDiskStorage({ name: 'local', root });
});
afterEach(() => rm(root, { recursive: true }));

async function appendAll(write: ReplicatedWrite, from = 0, to = SIZE): Promise<void> {
  for (let at = from; at < to; at += 100 * KIB) await write.append(pattern(at, Math.min(100 * KIB, to - at)));
}

async function isWhole(storage: Storage): Promise<boolean> {
  return (await collect(storage.get(KEY))).equals(pattern(0, SIZE));
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

function memory(name: string, ...faults: Fault[]): Storage {
  return createFaultyStorage(createMemoryStorage({ name }), faults);
}

/** A disk that is full after so many bytes. */
function fullAfter(bytes: number): DiskStorage {
  return {
    ...disk,
    async begin(key) {
      const file = await disk.begin(key);
      return {
        ...file,
        get length() {
          return file.length;
        },
        async write(chunk) {
          if (file.length + chunk.length > bytes) throw diskError({ code: 'ENOSPC' }, 'write', disk.location(key));
          await file.write(chunk);
        },
      };
    },
  };
}

describe('a write to a local and two other targets', () => {
  test('ends with the same bytes on all of them', async () => {
    const [a, b] = [memory('a'), memory('b')];
    const write = startReplicatedWrite({ key: KEY, targets: [disk, a, b], spool: disk });
    await appendAll(write);
    const local = await write.commit();
    expect(local).toMatchObject([{ target: 'local', ok: true, result: { size: SIZE, checkedBy: 'fsync' } }]);
    const outcomes = await write.settled();
    expect(outcomes.map(({ target, ok }) => [target, ok])).toEqual([
      ['local', true],
      ['a', true],
      ['b', true],
    ]);
    expect(new Set(outcomes.map(({ result }) => result?.sha256))).toEqual(new Set([write.sha256]));
    expect(write.sha256).toBe(await sha256Of(disk.get(KEY)));
    for (const storage of [disk, a, b]) expect(await isWhole(storage)).toBe(true);
    expect(await filesIn(root)).toEqual(['x.sql.gz']);
  });

  test('shows nothing anywhere before the commit', async () => {
    const a = memory('a');
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk });
    await appendAll(write);
    for (const storage of [disk, a]) expect(await keysOf(storage)).toEqual([]);
    await write.commit();
    expect(await keysOf(disk)).toEqual([KEY]);
    await write.settled();
    expect(await keysOf(a)).toEqual([KEY]);
  });

  test('keeps the order of appends that nobody waited for', async () => {
    const write = startReplicatedWrite({ key: KEY, targets: [], spool: disk });
    const appends: Promise<void>[] = [];
    for (let at = 0; at < SIZE; at += 10 * KIB) appends.push(write.append(pattern(at, 10 * KIB)));
    await Promise.all(appends);
    await write.commit();
    await write.settled();
    expect(await isWhole(disk)).toBe(true);
  });

  test.each(['abort()', 'the signal'])('leaves nothing behind after %s', async (how) => {
    const a = memory('a');
    const controller = new AbortController();
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, signal: controller.signal });
    await appendAll(write, 0, SIZE / 2);
    const reason = new BackupError('ABORTED', 'stopped');
    if (how === 'the signal') {
      controller.abort(reason);
      await expect(write.append(pattern(0, 10))).rejects.toBe(reason);
    }
    await write.abort(reason);
    await expect(write.append(pattern(0, 10))).rejects.toBe(reason);
    await expect(write.commit()).rejects.toBe(reason);
    expect(await filesIn(root)).toEqual([]);
    expect(await keysOf(a)).toEqual([]);
  });

  test('an abort after the commit keeps the local copy', async () => {
    const a = memory('a', { operation: 'put', kind: 'stall' });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk });
    await appendAll(write);
    await write.commit();
    await write.abort(new BackupError('ABORTED', 'stopped'));
    expect(await isWhole(disk)).toBe(true);
    expect(await write.settled()).toMatchObject([{ ok: true }, { target: 'a', ok: false, error: { code: 'ABORTED' } }]);
    expect(await filesIn(root)).toEqual(['x.sql.gz']);
  });
});

describe('a target that fails', () => {
  test('is repaired from the local copy, and the outcome says so', async () => {
    const a = memory('a', { operation: 'put', kind: 'fail', call: 1, afterBytes: 300 * KIB });
    const failures: string[] = [];
    const write = startReplicatedWrite({
      key: KEY,
      targets: [a],
      spool: disk,
      repair,
      onFailure: (target, error) => failures.push(`${target} ${error.code}`),
    });
    await appendAll(write);
    await write.commit();
    expect(await write.settled()).toMatchObject([
      { target: 'local', ok: true },
      { target: 'a', ok: true, repaired: true, error: { code: 'STORAGE_UNAVAILABLE' }, result: { sha256: write.sha256 } },
    ]);
    expect(failures).toEqual(['a STORAGE_UNAVAILABLE']);
    expect(await isWhole(a)).toBe(true);
  });

  test('for good has no copy, and the others do', async () => {
    const a = memory('a', { operation: 'put', kind: 'fail' });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, repair });
    await appendAll(write);
    await write.commit();
    expect(await write.settled()).toMatchObject([
      { ok: true },
      { target: 'a', ok: false, error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
    expect(await keysOf(a)).toEqual([]);
  });

  test.each(['truncate', 'flip'] as const)(
    'by storing other bytes than were sent (%s) is found out and repaired',
    async (kind) => {
      const a = memory('a', { operation: 'put', kind, call: 1, afterBytes: 1000 });
      const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, repair });
      await appendAll(write);
      await write.commit();
      expect(await write.settled()).toMatchObject([
        { ok: true },
        { ok: true, repaired: true, error: { code: 'STORAGE_CORRUPT' } },
      ]);
      expect(await isWhole(a)).toBe(true);
    },
  );

  test('by taking no more data does not hold the writer up, and is repaired', async () => {
    const a = memory('a', { operation: 'put', kind: 'stall', call: 1, afterBytes: 100 });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, repair, stallTimeoutMs: 50 });
    await appendAll(write);
    await write.commit();
    expect(await write.settled()).toMatchObject([
      { ok: true },
      { ok: true, repaired: true, error: { code: 'STORAGE_UNAVAILABLE' } },
    ]);
    expect(await isWhole(a)).toBe(true);
  });

  test('by hanging during the repair, too, is given up', async () => {
    const a = memory('a', { operation: 'put', kind: 'stall', afterBytes: 100 });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, repair, stallTimeoutMs: 20 });
    await appendAll(write);
    await write.commit();
    expect(await write.settled()).toMatchObject([{ ok: true }, { ok: false, error: { code: 'STORAGE_UNAVAILABLE' } }]);
  });

  test('is not taken for stalled while the writer has nothing to give', async () => {
    const a = memory('a');
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: disk, stallTimeoutMs: 20 });
    await appendAll(write, 0, SIZE / 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await appendAll(write, SIZE / 2);
    await write.commit();
    const [, follower] = await write.settled();
    expect(follower).toMatchObject({ target: 'a', ok: true });
    expect(follower).not.toHaveProperty('repaired');
  });
});

describe('when the disk is full half-way', () => {
  test('the rest goes straight to the others, which end up whole', async () => {
    const [a, b] = [memory('a'), memory('b', { operation: 'put', kind: 'fail', call: 1, afterBytes: 500 * KIB })];
    const write = startReplicatedWrite({
      key: KEY,
      targets: [a, b],
      spool: fullAfter(450 * KIB),
      repair,
      windowBytes: 150 * KIB,
    });
    await appendAll(write);
    const outcomes = await write.commit();
    expect(outcomes).toMatchObject([
      { target: 'local', ok: false, error: { code: 'STORAGE_FULL' } },
      { target: 'a', ok: true },
      { target: 'b', ok: true, repaired: true },
    ]);
    expect(await isWhole(a)).toBe(true);
    expect(await isWhole(b)).toBe(true);
    expect(await filesIn(root)).toEqual([]);
  });

  test('and there is no other target, append says that the disk is full', async () => {
    const write = startReplicatedWrite({ key: KEY, targets: [], spool: fullAfter(450 * KIB) });
    await expect(appendAll(write)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await write.abort(new Error('given up'));
    expect(await filesIn(root)).toEqual([]);
  });

  test('and the other target has failed for good, append names both', async () => {
    const a = memory('a', { operation: 'put', kind: 'fail' });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: fullAfter(450 * KIB) });
    await expect(appendAll(write)).rejects.toMatchObject({
      code: 'STORAGE_NO_TARGET',
      message: expect.stringMatching(/local: .*no space.*; a: .*injected/),
    });
    await write.abort(new Error('given up'));
    expect(await filesIn(root)).toEqual([]);
  });

  test('a missing backup directory sends everything to the others', async () => {
    const a = memory('a');
    const nowhere = createDiskStorage({ name: 'local', root: join(root, 'not-mounted') });
    const write = startReplicatedWrite({ key: KEY, targets: [a], spool: nowhere, repair });
    await appendAll(write);
    expect(await write.commit()).toMatchObject([
      { target: 'local', ok: false, error: { code: 'STORAGE_MISSING' } },
      { ok: true },
    ]);
    expect(await isWhole(a)).toBe(true);
  });
});

describe('without a local target', () => {
  test('the writer waits for a slow target, with bounded memory', async () => {
    const gate = Promise.withResolvers<undefined>();
    const inner = createMemoryStorage({ name: 'slow' });
    const slow: Storage = {
      ...inner,
      put: async (key, content, signal) => {
        await gate.promise;
        return inner.put(key, content, signal);
      },
    };
    const write = startReplicatedWrite({ key: KEY, targets: [slow], windowBytes: 250 * KIB });
    await write.append(pattern(0, 200 * KIB));
    let taken = false;
    const second = write.append(pattern(200 * KIB, 200 * KIB)).then(() => {
      taken = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(taken).toBe(false);
    gate.resolve(undefined);
    await second;
    await appendAll(write, 400 * KIB);
    expect(await write.commit()).toMatchObject([{ target: 'slow', ok: true }]);
    expect(await isWhole(inner)).toBe(true);
  });

  test('a target that stalls is left behind and repaired from the other', async () => {
    const [a, b] = [memory('a'), memory('b', { operation: 'put', kind: 'stall', call: 1, afterBytes: 10 })];
    const write = startReplicatedWrite({ key: KEY, targets: [a, b], windowBytes: 150 * KIB, stallTimeoutMs: 50, repair });
    await appendAll(write);
    expect(await write.commit()).toMatchObject([
      { target: 'a', ok: true },
      { target: 'b', ok: true, repaired: true },
    ]);
    expect(await isWhole(b)).toBe(true);
  });

  test('an abort while the writer waits ends the wait', async () => {
    const a = memory('a', { operation: 'put', kind: 'stall' });
    const write = startReplicatedWrite({ key: KEY, targets: [a], windowBytes: 10 });
    const waiting = write.append(pattern(0, 1000));
    const reason = new BackupError('ABORTED', 'stopped');
    await Promise.all([write.abort(reason), expect(waiting).rejects.toBe(reason)]);
    expect(await keysOf(a)).toEqual([]);
  });
});

test('a key that is none is refused at once', () => {
  expect(() => startReplicatedWrite({ key: '../x', targets: [memory('a')] })).toThrow('not a key');
});
