import { describe, expect, test } from '@jest/globals';
import { Moments } from '../../../src/wal/moments.ts';

const MB16 = 16 * 2 ** 20;
const at = (second: number, lsn: string) => ({ time: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`, lsn });

describe('A moment of the source', () => {
  test('counts only once the WAL before it is here', () => {
    const moments = new Moments();
    moments.offer(at(1, '0/1000100'));
    moments.offer(at(2, '0/1000200'));
    expect(moments.newest).toBeUndefined();
    expect(moments.inSegment({ number: 1n, timeline: 1 }, MB16, false)).toEqual([]);
    expect(moments.confirm('0/1000150')).toEqual(at(1, '0/1000100'));
    expect(moments.confirm('0/1000150')).toBeUndefined();
    expect(moments.inSegment({ number: 1n, timeline: 1 }, MB16, false)).toEqual([at(1, '0/1000100')]);
    expect(moments.confirm('0/1000200')).toEqual(at(2, '0/1000200'));
  });

  test('counts in any case in a segment that is finished', () => {
    const moments = new Moments();
    moments.offer(at(1, '0/1000100'));
    moments.offer(at(2, '0/2000100'));
    expect(moments.inSegment({ number: 1n, timeline: 1 }, MB16, true)).toEqual([at(1, '0/1000100')]);
  });

  test('of a primary that the source is no more stands for nothing that its successor sends', () => {
    const moments = new Moments();
    moments.follow(1);
    moments.offer(at(1, '0/1000100'));
    moments.confirm('0/1000100');
    moments.offer(at(2, '0/1000200'));
    moments.follow(2);
    expect(moments.confirm('0/1000300')).toBeUndefined();
    moments.offer(at(3, '0/1000400'));
    moments.confirm('0/1000400');
    expect(moments.newest).toMatchObject(at(3, '0/1000400'));
    expect(moments.inSegment({ number: 1n, timeline: 1 }, MB16, true)).toEqual([at(1, '0/1000100')]);
    expect(moments.inSegment({ number: 1n, timeline: 2 }, MB16, true)).toEqual([at(3, '0/1000400')]);
  });

  test('that was noted by a daemon before stands for the timeline that it was on', () => {
    const moments = new Moments();
    moments.resume({ ...at(1, '0/1000100'), timeline: 1 });
    expect(moments.inSegment({ number: 1n, timeline: 1 }, MB16, false)).toEqual([at(1, '0/1000100')]);
    expect(moments.inSegment({ number: 1n, timeline: 2 }, MB16, false)).toEqual([]);
  });

  test('tells up to which time a place holds everything', () => {
    const moments = new Moments();
    for (const moment of [at(1, '0/1000100'), at(2, '0/2000000'), at(3, '0/2000100')]) moments.offer(moment);
    moments.confirm('0/3000000');
    expect(moments.before(0x2000000n)).toEqual(at(2, '0/2000000'));
    expect(moments.before(0x1000000n)).toBeUndefined();
  });
});
