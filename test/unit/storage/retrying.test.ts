import { describe, expect, test } from '@jest/globals';
import { BackupError } from '../../../src/errors.ts';
import { createFaultyStorage, type Fault } from '../../../src/storage/faulty.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';
import { withRetries, type RetryPolicy } from '../../../src/storage/retrying.ts';
import { collect, keysOf, patternContent } from '../../support/content.ts';

const denied = new BackupError('STORAGE_DENIED', 'no');

function setup(faults: Fault[], policy: Partial<RetryPolicy> = {}) {
  const inner = createMemoryStorage({ name: 'memory' });
  const pauses: number[] = [];
  const storage = withRetries(createFaultyStorage(inner, faults), {
    attempts: 4,
    baseDelayMs: 100,
    maxDelayMs: 250,
    random: () => 1,
    sleep: async (ms) => {
      pauses.push(ms);
    },
    ...policy,
  });
  return { inner, storage, pauses };
}

describe('withRetries', () => {
  test('tries again after a failure that may pass, with doubling and bounded pauses', async () => {
    const { storage, pauses } = setup([1, 2, 3].map((call) => ({ operation: 'head', kind: 'fail', call })));
    expect(await storage.head('x')).toBeUndefined();
    expect(pauses).toEqual([100, 200, 250]);
  });

  test('pauses are a random part of their bound', async () => {
    const { storage, pauses } = setup([{ operation: 'head', kind: 'fail', call: 1 }], { random: () => 0.25 });
    await storage.head('x');
    expect(pauses).toEqual([25]);
  });

  test('gives up with the last error after the last attempt', async () => {
    const { storage, pauses } = setup([{ operation: 'remove', kind: 'fail' }]);
    await expect(storage.remove('x')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(pauses.length).toBe(3);
  });

  test('does not try again what cannot pass', async () => {
    const { storage, pauses } = setup([{ operation: 'probe', kind: 'fail', error: denied }]);
    await expect(storage.probe()).rejects.toBe(denied);
    expect(pauses).toEqual([]);
  });

  test('puts again from the start if the content can be read again', async () => {
    const { storage, inner } = setup([{ operation: 'put', kind: 'fail', call: 1, afterBytes: 5000 }]);
    const content = patternContent(10_000, { chunk: 1000 });
    await storage.put('x', content);
    expect(content.opened).toEqual([0, 0]);
    expect((await collect(inner.get('x'))).equals(content.bytes())).toBe(true);
  });

  test('puts once if the content cannot be read again', async () => {
    const { storage, pauses } = setup([{ operation: 'put', kind: 'fail', call: 1 }]);
    await expect(storage.put('x', patternContent(10, { replayable: false }))).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
    expect(pauses).toEqual([]);
  });

  test('goes on reading where it broke off, inside the range that was asked for', async () => {
    const { storage, inner } = setup([
      { operation: 'get', kind: 'fail', call: 1, afterBytes: 70_000 },
      { operation: 'get', kind: 'fail', call: 2, afterBytes: 1 },
      { operation: 'get', kind: 'fail', call: 3, afterBytes: 0 },
    ]);
    const content = patternContent(200_000);
    await inner.put('x', content);
    const read = await collect(storage.get('x', { offset: 10_000, length: 150_000 }));
    expect(read.equals(content.bytes().subarray(10_000, 160_000))).toBe(true);
  });

  test('gives up a read of which each answer brings only a few bytes', async () => {
    const { storage, inner, pauses } = setup([{ operation: 'get', kind: 'fail', afterBytes: 1000 }]);
    await inner.put('x', patternContent(100_000));
    await expect(collect(storage.get('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    expect(pauses).toEqual([100, 200, 250]);
  });

  test('goes on with a long read that breaks now and then', async () => {
    const { storage, inner } = setup([{ operation: 'get', kind: 'fail', afterBytes: 1 << 20 }]);
    const content = patternContent(10 << 20, { chunk: 1 << 18 });
    await inner.put('x', content);
    expect((await collect(storage.get('x'))).equals(content.bytes())).toBe(true);
  });

  test('lists every key once, although the first listing broke off', async () => {
    const inner = createMemoryStorage({ name: 'memory' });
    for (const key of ['a', 'b', 'c']) await inner.put(key, patternContent(1));
    let calls = 0;
    const breaking = {
      ...inner,
      async *list(prefix: string) {
        calls += 1;
        for await (const object of inner.list(prefix)) {
          if (calls === 1 && object.key === 'c') throw new BackupError('STORAGE_UNAVAILABLE', 'broke off', { retryable: true });
          yield object;
        }
      },
    };
    expect(await keysOf(withRetries(breaking, { attempts: 2, baseDelayMs: 1, maxDelayMs: 1 }))).toEqual(['a', 'b', 'c']);
  });

  test('an abort ends the pause', async () => {
    const controller = new AbortController();
    const inner = createFaultyStorage(createMemoryStorage({ name: 'memory' }), [{ operation: 'head', kind: 'fail' }]);
    const storage = withRetries(inner, {
      attempts: 2,
      baseDelayMs: 1e8,
      maxDelayMs: 1e8,
      random: () => 1,
      onRetry: () => controller.abort(denied),
    });
    await expect(storage.head('x', controller.signal)).rejects.toBe(denied);
  });
});
