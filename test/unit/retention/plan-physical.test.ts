import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planPhysical } from '../../../src/retention/plan-physical.ts';

const DAY = 24 * 60 * 60_000;
const NOW = 1000 * DAY;
const history = fc.record({
  keepDays: fc.integer({ min: 1, max: 30 }),
  backups: fc.array(fc.record({ age: fc.integer({ min: 0, max: 90 }), good: fc.integer({ min: 0, max: 4 }).map((n) => n > 0) }), {
    maxLength: 20,
  }),
});

/** A segment a day; a backup needs the WAL from its day on. */
function planOf({ keepDays, backups }: typeof history extends fc.Arbitrary<infer T> ? T : never) {
  const all = backups.map(({ age, good }, at) => ({
    ...{ label: `b${at}`, timeline: 1, firstSegment: BigInt(1000 - age), finished: NOW - age * DAY, good, age },
  }));
  const segments = Array.from({ length: 1001 }, (_, at) => ({ name: `s${at}`, timeline: 1, number: BigInt(at) }));
  const { remove } = planPhysical(all, segments, keepDays, NOW);
  const gone = new Set([...remove.bases, ...remove.segments]);
  return {
    good: all.filter(({ good }) => good).sort((a, b) => a.age - b.age),
    stays: (name: string) => !gone.has(name),
    walSince: (number: bigint) => segments.every((segment) => segment.number < number || !gone.has(segment.name)),
  };
}

test('Every instant of the days to keep stays recoverable, if it was', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { good, stays, walSince } = planOf(given);
      const start = good.find(({ age }) => age >= given.keepDays) ?? good.at(-1);
      if (!start) return;
      expect(good.some(({ label, age }) => stays(label) && age >= Math.min(start.age, given.keepDays))).toBe(true);
      expect(walSince(start.firstSegment)).toBe(true);
    }),
  );
});

test('The two newest good backups stay, with their WAL', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { good, stays, walSince } = planOf(given);
      for (const { label, firstSegment } of good.slice(0, 2)) {
        expect(stays(label)).toBe(true);
        expect(walSince(firstSegment)).toBe(true);
      }
    }),
  );
});

test('No backup stays without the WAL that it needs, and without a backup all WAL stays', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { good, stays, walSince } = planOf(given);
      for (const { label, firstSegment } of good.filter((each) => stays(each.label)))
        expect([label, walSince(firstSegment)]).toEqual([label, true]);
      if (given.backups.length === 0) expect(walSince(0n)).toBe(true);
    }),
  );
});

test('What is old and needed by nothing goes', () => {
  const backup = (label: string, age: number) => ({
    ...{ label, timeline: 1, firstSegment: BigInt(100 - age), finished: NOW - age * DAY, good: true },
  });
  const segments = [50, 79, 80, 99].map((number) => ({ name: `s${number}`, timeline: 1, number: BigInt(number) }));
  const { remove, keep } = planPhysical([backup('a', 50), backup('b', 20), backup('c', 5), backup('d', 1)], segments, 7, NOW);
  expect(remove).toEqual({ bases: ['a'], segments: ['s50', 's79'] });
  expect(keep.map(({ label }) => label).sort()).toEqual(['b', 'c', 'd']);
});
