import { describe, expect, test } from '@jest/globals';
import { forecastBytes } from '../../../src/health/growth.ts';

const day = (number: number) => new Date(Date.UTC(2026, 0, 1 + number));
const sizes = (...bytes: number[]) => bytes.map((each, at) => ({ at: day(at), bytes: each }));

describe('The forecast of a backup', () => {
  test('goes on with the line through the sizes so far, and a tenth more', () => {
    expect(forecastBytes(sizes(1000, 1100, 1200, 1300), day(5))).toBe(Math.ceil(1500 * 1.1));
  });

  test('is never less than the last one: what shrank may grow again', () => {
    expect(forecastBytes(sizes(1300, 1200, 1100, 1000), day(9))).toBe(1100);
  });

  test('knows nothing without a backup, and takes one for the next', () => {
    expect(forecastBytes([], day(1))).toBeUndefined();
    expect(forecastBytes(sizes(500), day(30))).toBe(550);
  });

  test('does not take what was made within minutes for growth', () => {
    const at = day(0);
    const close = [0, 1, 2].map((minute) => ({ at: new Date(at.getTime() + minute * 60_000), bytes: 1000 + minute * 500 }));
    expect(forecastBytes(close, day(30))).toBe(2200);
  });

  test('forgets what a database was like long ago', () => {
    const old = Array.from({ length: 60 }, (_each, at) => ({ at: day(at), bytes: at < 30 ? 1_000_000 : 1000 }));
    expect(forecastBytes(old, day(61))).toBe(1100);
  });
});
