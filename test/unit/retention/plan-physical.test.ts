import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { planPhysical } from '../../../src/retention/plan-physical.ts';

const DAY = 24 * 60 * 60_000;
/** 2026-07-16, 12:00 UTC. */
const NOW = Date.UTC(2026, 6, 16, 12);
const DAYS = 100;
const history = fc.record({
  keepDays: fc.integer({ min: 1, max: 30 }),
  keepMonths: fc.integer({ min: 0, max: 4 }),
  // Each of another day: of two that end in the same moment neither is the newer one.
  backups: fc.uniqueArray(
    fc.record({
      age: fc.integer({ min: 0, max: 90 }),
      good: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
      /** It builds on the one before it. */
      incremental: fc.integer({ min: 0, max: 2 }).map((n) => n > 0),
    }),
    { maxLength: 20, selector: ({ age }) => age },
  ),
});

/** A segment a day; a backup needs the WAL of its day and of the next. Some are full ones, others build on the one before. */
function planOf({ keepDays, keepMonths, backups }: typeof history extends fc.Arbitrary<infer T> ? T : never) {
  const sorted = [...backups].sort((a, b) => b.age - a.age);
  const all: (Parameters<typeof planPhysical>[0][number] & { age: number })[] = [];
  for (const [at, { age, good, incremental }] of sorted.entries()) {
    const parent = incremental ? all[at - 1] : undefined;
    all.push({
      ...{ label: `b${at}`, timeline: 1, firstSegment: BigInt(DAYS - age), lastSegment: BigInt(DAYS - age + 1) },
      ...{ finished: NOW - age * DAY, good: good && parent?.good !== false, age, ...(parent && { parent: parent.label }) },
    });
  }
  const segments = Array.from({ length: DAYS + 2 }, (_, at) => ({ name: `s${at}`, timeline: 1, number: BigInt(at) }));
  const { remove } = planPhysical(all.toReversed(), segments, { keepDays, keepMonths }, NOW);
  const gone = new Set([...remove.bases, ...remove.segments]);
  return {
    ...{ all, segments, remove },
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

test('No backup stays without what it builds on, and at no moment of the removal is there one without', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { all, remove } = planOf(given);
      const there = new Set(all.map(({ label }) => label));
      const orphans = () => all.filter(({ label, parent }) => there.has(label) && parent !== undefined && !there.has(parent));
      for (const label of remove.bases) {
        there.delete(label);
        expect(orphans()).toEqual([]);
      }
    }),
  );
});

test('No backup stays without the WAL that makes it consistent, and without a backup all WAL stays', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { good, segments, stays, walSince } = planOf(given);
      for (const { label, firstSegment, lastSegment } of good.filter((each) => stays(each.label))) {
        const needed = segments.filter(({ number }) => number >= firstSegment && number <= lastSegment);
        expect([label, needed.filter(({ name }) => !stays(name))]).toEqual([label, []]);
      }
      if (given.backups.length === 0) expect(walSince(0n)).toBe(true);
    }),
  );
});

test('The last good backup of each month to keep stays', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { good, stays } = planOf(given);
      const month = (finished: number) => new Date(finished).getUTCMonth();
      for (let back = 0; back < given.keepMonths; back += 1) {
        const last = good.find(({ finished }) => month(finished) === 6 - back);
        if (last) expect([last.label, stays(last.label)]).toEqual([last.label, true]);
      }
    }),
  );
});

test('WAL from before all that is kept for recovery stays only where it makes a backup consistent', () => {
  fc.assert(
    fc.property(history, (given) => {
      const { all, good, segments, stays } = planOf(given);
      const [, second] = good;
      if (!second) return;
      const before = good.find(({ age }) => age > given.keepDays) ?? good.at(-1)!;
      const from = [second, before, ...all.filter(({ age }) => age <= given.keepDays)].reduce(
        (least, { firstSegment }) => (firstSegment < least ? firstSegment : least),
        BigInt(DAYS),
      );
      const kept = all.filter(({ label }) => stays(label));
      for (const { name, number } of segments.filter((segment) => segment.number < from && stays(segment.name)))
        expect([name, kept.some((each) => number >= each.firstSegment && number <= each.lastSegment)]).toEqual([name, true]);
    }),
  );
});

const backup = (label: string, age: number, parent?: string) => ({
  ...{
    label,
    timeline: 1,
    firstSegment: BigInt(100 - age),
    lastSegment: BigInt(100 - age),
    finished: NOW - age * DAY,
    good: true,
  },
  ...(parent !== undefined && { parent }),
});
const daily = Array.from({ length: 101 }, (_, at) => ({ name: `s${at}`, timeline: 1, number: BigInt(at) }));

test('What is old and needed by nothing goes', () => {
  const segments = daily.filter(({ number }) => [50n, 79n, 80n, 99n].includes(number));
  const backups = [backup('a', 50), backup('b', 20), backup('c', 5), backup('d', 1)];
  const { remove, keep } = planPhysical(backups, segments, { keepDays: 7, keepMonths: 0 }, NOW);
  expect(remove).toEqual({ bases: ['a'], segments: ['s50', 's79'] });
  expect(keep.map(({ label }) => label).sort()).toEqual(['b', 'c', 'd']);
});

test('A chain goes newest first, and what a kept one builds on stays with its own WAL alone', () => {
  const chain = [backup('a', 60), backup('b', 50, 'a'), backup('c', 40, 'b')];
  const other = [backup('d', 30), backup('e', 20, 'd'), backup('f', 10, 'e'), backup('g', 1)];
  const { remove, keep } = planPhysical([...chain, ...other], daily, { keepDays: 7, keepMonths: 0 }, NOW);
  expect(remove.bases).toEqual(['c', 'b', 'a']);
  expect(keep.find(({ label }) => label === 'd')).toEqual({ label: 'd', says: 'e builds on it' });
  const stays = daily.filter(({ name, number }) => number < 95n && !remove.segments.includes(name)).map(({ name }) => name);
  expect(stays).toEqual(['s70', 's80', 's90', 's91', 's92', 's93', 's94']);
});
