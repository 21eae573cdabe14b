import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { systemClock } from '../../../src/clock.ts';
import { LevelChooser } from '../../../src/codec/level.ts';

const words = ['delivery', 'before', 'noon', 'please', 'ring', 'twice', 'leave', 'with', 'neighbour'];
const text = Buffer.from(
  Array.from(
    { length: 20_000 },
    (_, i) => `${String(i)}\t${words[(i * 7) % 9]!} ${words[(i * 5) % 8]!}\t${String((i * 7919) % 1000)}\n`,
  ).join(''),
);
const keys = Buffer.from(randomBytes(100_000).toString('hex'));

/** A clock by which the middle level always takes 1 ms and the small one `smallMs`. */
function clockOf(smallMs: number) {
  let reading = 0;
  let calls = 0;
  return {
    monotonic: () => {
      // Read before the middle level, between the two, and after the small one.
      reading += [0, 1, smallMs][calls % 3]!;
      calls += 1;
      return reading;
    },
  };
}

describe('the level that is chosen when none is asked for', () => {
  test('text is worth a higher one, random keys are not', () => {
    expect(new LevelChooser('gzip', 'auto', clockOf(1.2)).choose(0, text)).toBe(5);
    expect(new LevelChooser('gzip', 'auto', systemClock).choose(0, keys)).toBe(2);
  });

  test('what saves little at many times the time is not worth it', () => {
    expect(new LevelChooser('gzip', 'auto', clockOf(50)).choose(0, text)).toBe(4);
  });

  test('a table keeps its level for a while, and each has its own', () => {
    const levels = new LevelChooser('gzip', 'auto', clockOf(1.2));
    expect([levels.choose(0, text), levels.choose(1, keys), levels.choose(0, keys)]).toEqual([5, 2, 5]);
    const later = Array.from({ length: 40 }, () => levels.choose(0, keys));
    expect(later.at(-1)).toBe(2);
  });

  test('a short or empty member has one, too; zstd stays at its first', () => {
    expect(new LevelChooser('gzip', 'auto', systemClock).choose(undefined, Buffer.alloc(0))).toBe(2);
    expect(new LevelChooser('zstd', 'auto', systemClock).choose(0, text)).toBe(1);
  });

  test('what is asked for is taken', () => {
    expect(new LevelChooser('gzip', 9, systemClock).choose(0, text)).toBe(9);
    expect(new LevelChooser('zstd', 3, systemClock).choose(0, text)).toBe(3);
  });
});
