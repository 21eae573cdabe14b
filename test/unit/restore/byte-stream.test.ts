import { describe, expect, it } from '@jest/globals';
import { openBytes } from '../../../src/restore/byte-stream.ts';

const LARGE = 1024 * 1024;

describe('a stream of bytes', () => {
  it('gives pieces of the length that is asked for, wherever the chunks end', async () => {
    const stream = openBytes(chunks(Buffer.from('abc'), Buffer.from('d'), Buffer.from('efgh')));

    expect((await stream.take(2)).toString()).toBe('ab');
    expect((await stream.take(5)).toString()).toBe('cdefg');
    expect(await stream.ended()).toBe(false);
    expect((await stream.take(1)).toString()).toBe('h');
    expect(await stream.ended()).toBe(true);
    await expect(stream.take(1)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
  });

  it('frees a large chunk once all of it has been taken, and not before', async () => {
    const [first, second] = [Buffer.alloc(LARGE, 'a'), Buffer.alloc(LARGE, 'b')];
    const stream = openBytes(chunks(first, second));

    const taken = [await stream.take(LARGE - 1)];
    expect(first).toHaveLength(LARGE);
    taken.push(await stream.take(2));
    expect([first.length, second.length]).toEqual([0, LARGE]);
    taken.push(await stream.take(LARGE - 1));
    expect(await stream.ended()).toBe(true);
    expect(second).toHaveLength(0);
    expect(Buffer.concat(taken).equals(Buffer.concat([Buffer.alloc(LARGE, 'a'), Buffer.alloc(LARGE, 'b')]))).toBe(true);
  });

  it('leaves small chunks alone, which may share their memory', async () => {
    const shared = Buffer.from('abcdef');
    const stream = openBytes(chunks(shared.subarray(0, 3), shared.subarray(3)));

    await stream.take(6);
    expect(await stream.ended()).toBe(true);
    expect(shared.toString()).toBe('abcdef');
  });
});

async function* chunks(...all: Buffer[]): AsyncGenerator<Buffer, void, void> {
  for (const each of all) yield await Promise.resolve(each);
}
