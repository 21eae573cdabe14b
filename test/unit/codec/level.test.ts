import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { codecOf, type CodecName, type Effort } from '../../../src/codec/codec.ts';
import { LevelChooser } from '../../../src/codec/level.ts';

const words = ['delivery', 'before', 'noon', 'please', 'ring', 'twice', 'leave', 'with', 'neighbour'];
const text = Buffer.from(
  Array.from(
    { length: 20_000 },
    (_, i) => `${String(i)}\t${words[(i * 7) % 9]!} ${words[(i * 5) % 8]!}\t${String((i * 7919) % 1000)}\n`,
  ).join(''),
);
const keys = Buffer.from(randomBytes(100_000).toString('hex'));

/** A clock by which each trial of Huffman coding alone takes 1 ms, and the choices, in their order, as long as said. */
function clockOf(...choices: number[]) {
  const times = [1, ...choices];
  let reading = 0;
  let calls = 0;
  return {
    monotonic: () => {
      // Read before and after each trial.
      if (calls % 2 === 1) reading += times[((calls - 1) / 2) % times.length]!;
      calls += 1;
      return reading;
    },
  };
}

/** Times as they were measured, of words and of random digits. */
const usual = () => clockOf(1.5, 1.9, 2, 2.1);
const ofKeys = () => clockOf(1.5, 3, 9, 12);

function sizeOf(codec: CodecName, raw: Buffer, effort: Effort): number {
  return codecOf(codec)
    .compress(raw, effort)
    .reduce((sum, { length }) => sum + length, 0);
}

describe('the effort that is chosen when none is asked for', () => {
  test('is higher for text, and the lowest for random keys', () => {
    expect(new LevelChooser('gzip', 'auto', usual()).choose(0, text).level).toBe(5);
    expect(new LevelChooser('gzip', 'auto', ofKeys()).choose(0, keys).level).toBe(2);
  });

  test('is not the one that saves a little at many times the time', () => {
    expect(new LevelChooser('gzip', 'auto', clockOf(1.5, 1.6, 20, 50)).choose(0, text).level).toBe(4);
  });

  test('does not depend on how fast the machine is', () => {
    const clock = usual();
    const tenTimes = { monotonic: () => 10 * clock.monotonic() };
    expect(new LevelChooser('gzip', 'auto', tenTimes).choose(0, text)).toEqual(
      new LevelChooser('gzip', 'auto', usual()).choose(0, text),
    );
  });

  test('is kept for a table for a while, and each has its own', () => {
    let clock = usual();
    const levels = new LevelChooser('gzip', 'auto', { monotonic: () => clock.monotonic() });
    expect(levels.choose(0, text).level).toBe(5);
    clock = ofKeys();
    expect([levels.choose(1, keys), levels.choose(0, keys)].map(({ level }) => level)).toEqual([2, 5]);
    const later = Array.from({ length: 40 }, () => levels.choose(0, keys).level);
    expect(later.at(-1)).toBe(2);
  });

  test('of zstd makes what can be made smaller smaller, and is the same each time', () => {
    const effort = new LevelChooser('zstd', 'auto', usual()).choose(0, text);
    expect(effort).toEqual(new LevelChooser('zstd', 'auto', clockOf(9, 9, 9, 9)).choose(0, text));
    expect(sizeOf('zstd', text, effort)).toBeLessThan(sizeOf('zstd', text, { level: 1 }));
    expect(new LevelChooser('zstd', 'auto', usual()).choose(0, keys)).toEqual({ level: 1 });
  });

  test('of zstd finds what comes again a megabyte later', () => {
    const far = randomBytes(450_000).toString('hex');
    const effort = new LevelChooser('zstd', 'auto', usual()).choose(0, Buffer.from(far + far));
    expect(sizeOf('zstd', Buffer.from(far + far), effort)).toBeLessThan(1.1 * sizeOf('zstd', Buffer.from(far), { level: 1 }));
  });

  test.each(['gzip', 'zstd'] as const)('there is one for a short or empty member, too (%s)', (codec) => {
    for (const [table, raw] of [
      [0, Buffer.alloc(0)],
      [undefined, Buffer.alloc(0)],
      [0, Buffer.from('1\n')],
    ] as const) {
      const effort = new LevelChooser(codec, 'auto', usual()).choose(table, raw);
      expect(Buffer.from(codecOf(codec).decompress(Buffer.concat(codecOf(codec).compress(raw, effort)), raw.length))).toEqual(
        raw,
      );
    }
  });

  test('is the one that is asked for', () => {
    expect(new LevelChooser('gzip', 9, usual()).choose(0, text)).toEqual({ level: 9 });
    expect(new LevelChooser('zstd', 3, usual()).choose(undefined, text)).toEqual({ level: 3 });
  });
});
