import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BackupError } from '../../src/errors.ts';
import { bytesContent } from '../../src/storage/content.ts';
import type { Content, Storage } from '../../src/storage/storage.ts';
import { collect, keysOf, patternContent } from '../support/content.ts';

export interface StorageFixture {
  /** An empty storage. */
  readonly storage: Storage;
  /** What a killed put would leave: number of temporary files and incomplete uploads now there. */
  leftovers(): Promise<number>;
  /** Leaves behind under `key` what a process killed in the middle of a put leaves; absent where that leaves nothing. */
  readonly killedPut?: (key: string) => Promise<void>;
  stop(): Promise<void>;
}

const MIB = 1024 * 1024;
const text = (value: string) => bytesContent(Buffer.from(value));

/** What every {@link Storage} must do. `open` is called once per suite. */
export function storageContract(name: string, open: () => Promise<StorageFixture>): void {
  describe(`the storage contract: ${name}`, () => {
    let fixture: StorageFixture;
    let storage: Storage;
    beforeAll(async () => {
      fixture = await open();
      storage = fixture.storage;
    });
    afterAll(async () => {
      await fixture.stop();
    });

    test('gives back what was put, with its size and SHA-256', async () => {
      const content = patternContent(3 * MIB + 17);
      const result = await storage.put('full/a.sql.gz', content);
      expect(result.size).toBe(3 * MIB + 17);
      expect(result.sha256).toBe(content.sha256());
      expect((await collect(storage.get('full/a.sql.gz'))).equals(content.bytes())).toBe(true);
    });

    test('stores content of unknown size, in chunks of any size', async () => {
      const content = patternContent(100_003, { chunk: 777, sized: false, replayable: false });
      await storage.put('full/unsized', content);
      expect((await collect(storage.get('full/unsized'))).equals(content.bytes())).toBe(true);
      expect(content.opened).toEqual([0]);
    });

    test('stores content whose chunks are overwritten as soon as the next one is asked for', async () => {
      const whole = patternContent(300_000).bytes();
      const buffer = Buffer.alloc(1000);
      await storage.put('full/reused', {
        async *open() {
          for (let at = 0; at < whole.length; at += buffer.length) {
            whole.copy(buffer, 0, at, at + buffer.length);
            yield buffer;
            buffer.fill(0xee);
          }
        },
        replayable: false,
      });
      expect((await collect(storage.get('full/reused'))).equals(whole)).toBe(true);
    });

    test('stores an empty object', async () => {
      expect((await storage.put('full/empty', text(''))).size).toBe(0);
      expect((await collect(storage.get('full/empty'))).length).toBe(0);
      expect((await collect(storage.get('full/empty', { offset: 0 }))).length).toBe(0);
      expect((await storage.head('full/empty'))?.size).toBe(0);
    });

    test('replaces an object as a whole', async () => {
      await storage.put('full/replaced', text('a long first version'));
      await storage.put('full/replaced', text('second'));
      expect((await collect(storage.get('full/replaced'))).toString()).toBe('second');
    });

    test('reads ranges to the byte', async () => {
      const whole = patternContent(2 * MIB + 5);
      const bytes = whole.bytes();
      await storage.put('full/ranges', whole);
      const read = async (offset: number, length?: number) =>
        collect(storage.get('full/ranges', length === undefined ? { offset } : { offset, length }));
      expect((await read(0, 1)).equals(bytes.subarray(0, 1))).toBe(true);
      expect((await read(MIB - 3, 7)).equals(bytes.subarray(MIB - 3, MIB + 4))).toBe(true);
      expect((await read(2 * MIB)).equals(bytes.subarray(2 * MIB))).toBe(true);
      expect((await read(5, 0)).length).toBe(0);
      expect((await read(2 * MIB + 5)).length).toBe(0);
    });

    test('throws STORAGE_CORRUPT rather than give fewer bytes than were asked for', async () => {
      await storage.put('full/short', text('12345'));
      await expect(collect(storage.get('full/short', { offset: 2, length: 10 }))).rejects.toMatchObject({
        code: 'STORAGE_CORRUPT',
      });
      await expect(collect(storage.get('full/short', { offset: 6 }))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
      await expect(collect(storage.get('full/short', { offset: 9, length: 1 }))).rejects.toMatchObject({
        code: 'STORAGE_CORRUPT',
      });
    });

    test('a reader may stop early', async () => {
      await storage.put('full/long', patternContent(4 * MIB));
      for await (const chunk of storage.get('full/long')) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect((await storage.head('full/long'))?.size).toBe(4 * MIB);
    });

    test('says of a missing object that it is missing', async () => {
      expect(await storage.head('full/nothing')).toBeUndefined();
      expect(await storage.head('no/such/folder')).toBeUndefined();
      await expect(collect(storage.get('full/nothing'))).rejects.toMatchObject({ code: 'STORAGE_MISSING' });
      await expect(collect(storage.get('full/nothing', { offset: 3 }))).rejects.toMatchObject({ code: 'STORAGE_MISSING' });
    });

    test('heads an object with size and time', async () => {
      await storage.put('full/head', text('four'));
      const info = await storage.head('full/head');
      expect(info).toMatchObject({ key: 'full/head', size: 4 });
      expect(Number.isNaN(info?.modified.getTime())).toBe(false);
    });

    test('lists by prefix, in byte order of keys, at any depth', async () => {
      const keys = ['list/b', 'list/a.b', 'list/a/c', 'list/Z', 'list/ü', 'list/sub/deep/x', 'listing'];
      for (const key of keys) await storage.put(key, text(key));
      expect(await keysOf(storage, 'list/')).toEqual(['list/Z', 'list/a.b', 'list/a/c', 'list/b', 'list/sub/deep/x', 'list/ü']);
      expect(await keysOf(storage, 'list/a')).toEqual(['list/a.b', 'list/a/c']);
      expect(await keysOf(storage, 'list')).toContain('listing');
      expect(await keysOf(storage, 'nowhere/')).toEqual([]);
      for await (const object of storage.list('listing')) expect(object.size).toBe('listing'.length);
    });

    test('keeps odd names apart', async () => {
      const keys = ['odd/a b+c&d=%2F(1)~.txt', 'odd/a b', 'odd/.hidden', "odd/it's", 'odd/x.partial', 'odd/" $(x);drop'];
      for (const key of keys) await storage.put(key, text(key));
      for (const key of keys) expect((await collect(storage.get(key))).toString()).toBe(key);
      expect([...(await keysOf(storage, 'odd/'))].sort()).toEqual([...keys].sort());
    });

    test.each(['', '/etc/passwd', '../up', 'full/../../up', 'full//x', 'full/', './x', 'a\0b'])(
      'refuses %j as a key',
      async (key) => {
        await expect(storage.put(key, text('x'))).rejects.toMatchObject({ code: 'USAGE' });
        await expect((async () => storage.head(key))()).rejects.toMatchObject({ code: 'USAGE' });
        await expect((async () => storage.remove(key))()).rejects.toMatchObject({ code: 'USAGE' });
        await expect((async () => collect(storage.get(key)))()).rejects.toMatchObject({ code: 'USAGE' });
      },
    );

    test('removes, and removing again is no error', async () => {
      await storage.put('full/gone', text('x'));
      await storage.remove('full/gone');
      expect(await storage.head('full/gone')).toBeUndefined();
      await storage.remove('full/gone');
      await storage.remove('no/such/folder');
    });

    test('content that throws leaves nothing visible and the error comes through', async () => {
      const broken: Content = {
        async *open() {
          yield patternContent(6 * MIB).bytes();
          throw new BackupError('SOURCE_FAILED', 'the source broke');
        },
        replayable: false,
        expectedSize: 100 * MIB,
      };
      await expect(storage.put('broken/new', broken)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
      expect(await storage.head('broken/new')).toBeUndefined();
      await storage.put('broken/old', text('kept'));
      await expect(storage.put('broken/old', broken)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
      expect((await collect(storage.get('broken/old'))).toString()).toBe('kept');
      expect(await keysOf(storage, 'broken/')).toEqual(['broken/old']);
      expect(await fixture.leftovers()).toBe(0);
    });

    test('nothing is visible before the content has ended', async () => {
      let seen: unknown = 'not asked';
      await storage.put('full/slow', {
        async *open() {
          yield patternContent(11 * MIB).bytes();
          seen = await storage.head('full/slow');
        },
        replayable: false,
      });
      expect(seen).toBeUndefined();
      expect((await storage.head('full/slow'))?.size).toBe(11 * MIB);
    });

    test('an aborted put rejects with the reason, even while the content hangs, and leaves nothing', async () => {
      const controller = new AbortController();
      const reason = new BackupError('ABORTED', 'stopped by the test');
      const hanging: Content = {
        async *open() {
          yield patternContent(6 * MIB).bytes();
          setTimeout(() => {
            controller.abort(reason);
          }, 50);
          await new Promise(() => undefined);
        },
        replayable: false,
        expectedSize: 100 * MIB,
      };
      await expect(storage.put('aborted/x', hanging, controller.signal)).rejects.toBe(reason);
      expect(await keysOf(storage, 'aborted/')).toEqual([]);
      expect(await fixture.leftovers()).toBe(0);
    });

    test('a signal that is already aborted stops every operation', async () => {
      await storage.put('full/there', text('x'));
      const reason = new BackupError('ABORTED', 'too late');
      const signal = AbortSignal.abort(reason);
      await expect(storage.put('full/late', text('x'), signal)).rejects.toBe(reason);
      await expect((async () => collect(storage.get('full/there', undefined, signal)))()).rejects.toBe(reason);
      await expect((async () => storage.head('full/there', signal))()).rejects.toBe(reason);
      await expect((async () => storage.remove('full/there', signal))()).rejects.toBe(reason);
      await expect((async () => storage.probe(signal))()).rejects.toBe(reason);
      expect(await storage.head('full/late')).toBeUndefined();
      expect(await storage.head('full/there')).toBeDefined();
    });

    test('two puts at once to different keys do not disturb each other', async () => {
      const a = patternContent(6 * MIB, { seed: 5 });
      const b = patternContent(6 * MIB, { seed: 9 });
      await Promise.all([storage.put('both/a', a), storage.put('both/b', b)]);
      expect((await collect(storage.get('both/a'))).equals(a.bytes())).toBe(true);
      expect((await collect(storage.get('both/b'))).equals(b.bytes())).toBe(true);
    });

    test('the probe succeeds and leaves no trace', async () => {
      const before = await keysOf(storage);
      await storage.probe();
      expect(await keysOf(storage)).toEqual(before);
      expect(await fixture.leftovers()).toBe(0);
    });

    test('sweep removes what killed puts left, and nothing else', async () => {
      await storage.put('swept/whole', text('whole'));
      await fixture.killedPut?.('swept/killed');
      const left = await fixture.leftovers();
      expect(left).toBe(fixture.killedPut ? 1 : 0);
      expect(await keysOf(storage, 'swept/')).toEqual(['swept/whole']);

      expect(await storage.sweep('swept/', new Date(0))).toEqual([]);
      expect(await storage.sweep('elsewhere/', new Date('2100-01-01'))).toEqual([]);
      expect(await fixture.leftovers()).toBe(left);

      const seen = await storage.leftovers('swept/', new Date('2100-01-01'));
      expect(seen).toHaveLength(left);
      expect(await storage.leftovers('swept/', new Date(0))).toEqual([]);
      expect(await fixture.leftovers()).toBe(left);
      expect(await storage.sweep('swept/', new Date('2100-01-01'))).toEqual(seen);
      expect(await fixture.leftovers()).toBe(0);
      expect(await keysOf(storage, 'swept/')).toEqual(['swept/whole']);
    });
  });
}
