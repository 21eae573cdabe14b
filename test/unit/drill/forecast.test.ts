import { describe, expect, test } from '@jest/globals';
import { forecastRestore } from '../../../src/drill/forecast.ts';

const day = (number: number) => new Date(Date.UTC(2026, 0, 1 + number));
const GROWING = [0, 30, 60, 90].map((number) => ({
  at: day(number),
  bytes: 1000 + 10 * number,
  restoreMinutes: (1000 + 10 * number) / 100,
}));

describe('A forecast of the time of a restore', () => {
  test('follows the growth of the size to the day on which the target is missed', () => {
    // 1000 bytes take 10 minutes; 3000 bytes, 30 minutes, are reached after 200 days.
    expect(forecastRestore(GROWING, 30)).toMatchObject({
      drills: 4,
      bytesPerDay: 10,
      missedOn: day(200),
      says: expect.stringContaining('2026-07-20'),
    });
  });

  test('does not follow a single slow restore', () => {
    const slow = GROWING.map((each, at) => (at === 2 ? { ...each, restoreMinutes: 500 } : each));
    expect(forecastRestore(slow, 30).missedOn?.getUTCFullYear()).toBe(2026);
  });

  test('says when the target is missed already, and when it never will be', () => {
    expect(forecastRestore(GROWING, 15)).toMatchObject({ missedOn: day(90), says: expect.stringContaining('missed already') });
    const shrinking = GROWING.map((each, at) => ({ ...each, bytes: 5000 - at, restoreMinutes: 10 }));
    for (const never of [forecastRestore(shrinking, 30), forecastRestore(GROWING, 1_000_000)]) {
      expect(never).not.toHaveProperty('missedOn');
      expect(never.says).toMatch(/ten years/);
    }
  });

  test.each([
    ['no drill', []],
    ['two', GROWING.slice(0, 2)],
    ['three in a day', GROWING.slice(0, 3).map((each, at) => ({ ...each, at: new Date(day(1).getTime() + at * 3600_000) }))],
    ['three without a size', GROWING.map((each) => ({ ...each, bytes: 0 }))],
  ])('says nothing after %s', (_, measures) => {
    const none = forecastRestore(measures, 30);
    expect(none.says).toMatch(/^No forecast yet/);
    expect(none).not.toHaveProperty('missedOn');
  });
});
