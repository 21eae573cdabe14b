import { describe, expect, test } from '@jest/globals';
import { chooseInstant } from '../../../src/jobs/pitr-drill.ts';

const window = (base: string, fromTime: string, toTime?: string) => ({
  ...{ base, timeline: 1, fromLsn: '0/2000100', fromTime, toLsn: '0/3000000', segments: [] },
  ...(toTime !== undefined && { toTime }),
});
const long = window('long', '2026-01-01T00:00:00Z', '2026-01-08T00:00:00Z');
const short = window('short', '2026-01-10T00:00:00Z', '2026-01-10T01:00:00Z');

describe('the instant of a drill', () => {
  test('lies in its window, and the same seed chooses the same', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const { window: chosen, instant } = chooseInstant([short, long], String(seed));
      expect(instant >= new Date(chosen.fromTime).toISOString()).toBe(true);
      expect(instant <= new Date(chosen.toTime!).toISOString()).toBe(true);
      expect(chooseInstant([short, long], String(seed)).instant).toBe(instant);
    }
  });

  test('is spread over all that can be recovered', () => {
    const instants = Array.from({ length: 200 }, (_, seed) => chooseInstant([short, long], String(seed)).instant);
    expect(new Set(instants).size).toBeGreaterThan(190);
    expect(instants.some((instant) => instant < '2026-01-02')).toBe(true);
    expect(instants.some((instant) => instant > '2026-01-07')).toBe(true);
  });

  test('is none where no moment is known', () => {
    expect(() => chooseInstant([window('b', '2026-01-01T00:00:00Z')], 'a')).toThrow(/no instant that can be recovered/);
  });
});
