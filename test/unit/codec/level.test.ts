import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import { levelFor } from '../../../src/codec/level.ts';

const words = ['delivery', 'before', 'noon', 'please', 'ring', 'twice', 'leave', 'with', 'neighbour'];
const text = Buffer.from(
  Array.from(
    { length: 20_000 },
    (_, i) => `${String(i)}\t${words[(i * 7) % 9]!} ${words[(i * 5) % 8]!}\t${String((i * 7919) % 1000)}\n`,
  ).join(''),
);

describe('the level that is chosen when none is asked for', () => {
  test('text is worth a higher one, random keys are not', () => {
    expect(levelFor('gzip', 'auto', text)).toBe(5);
    expect(levelFor('gzip', 'auto', Buffer.from(randomBytes(100_000).toString('hex')))).toBe(2);
  });

  test('a short or empty member has one, too; zstd stays at its first', () => {
    expect(levelFor('gzip', 'auto', Buffer.alloc(0))).toBe(2);
    expect(levelFor('zstd', 'auto', text)).toBe(1);
  });

  test('what is asked for is taken', () => {
    expect(levelFor('gzip', 9, text)).toBe(9);
    expect(levelFor('zstd', 3, text)).toBe(3);
  });
});
