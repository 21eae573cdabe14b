import { describe, expect, test } from '@jest/globals';
import { segmentName } from '../../../src/catalog/wal-names.ts';
import { neededSegments } from '../../../src/wal/needed-segments.ts';

const SEGMENT = 16 * 2 ** 20;
const segments = Array.from({ length: 40 }, (_, at) => segmentName(1, BigInt(at + 2), SEGMENT));
const window = { base: 'b', timeline: 1, fromLsn: '0/2000100', fromTime: '', toLsn: '0/2A000000', segments };
const minute = (at: number): string => new Date(Date.UTC(2026, 0, 1, 10, at)).toISOString();

/** The moments of each segment, in minutes; one that is left out has none. */
function asked(times: ReadonlyMap<string, number>) {
  const names: string[] = [];
  const momentsOf = async (name: string) => {
    names.push(name);
    const at = times.get(name);
    return at === undefined ? [] : [{ time: minute(at), lsn: '0/0' }];
  };
  return { names, momentsOf };
}

describe('what a recovery has to read', () => {
  const every = new Map(segments.map((name, at) => [name, at]));
  const third = new Map(segments.flatMap((name, at) => (at % 3 === 0 ? [[name, at] as const] : [])));
  test.each([
    ['each segment has a moment', every, 1],
    ['one in three has', third, 3],
  ])('to a time, where %s: to the first that is not earlier, and one more', async (_, times, step) => {
    for (let at = 0; at < 38; at += 1) {
      const { names, momentsOf } = asked(times);
      const needed = await neededSegments(window, { kind: 'time', time: minute(at) }, SEGMENT, momentsOf);
      const first = Math.ceil(at / step) * step;
      expect(needed).toBe(Math.min(first + 1 + 1, 40));
      expect(names.length).toBeLessThan(20);
    }
  });

  test('to a time, where no moment is known: all', async () => {
    expect(await neededSegments(window, { kind: 'time', time: minute(3) }, SEGMENT, async () => [])).toBe(40);
  });

  test('to a place: to its segment, and one more; to the newest: all', async () => {
    const none = async () => [];
    expect(await neededSegments(window, { kind: 'lsn', lsn: '0/5000028' }, SEGMENT, none)).toBe(5);
    expect(await neededSegments(window, { kind: 'immediate' }, SEGMENT, none)).toBe(2);
    expect(await neededSegments(window, { kind: 'latest' }, SEGMENT, none)).toBe(40);
  });
});
