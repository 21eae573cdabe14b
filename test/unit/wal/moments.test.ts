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
    expect(moments.inSegment(1n, MB16, false)).toEqual([]);
    expect(moments.confirm('0/1000150')).toEqual(at(1, '0/1000100'));
    expect(moments.confirm('0/1000150')).toBeUndefined();
    expect(moments.inSegment(1n, MB16, false)).toEqual([at(1, '0/1000100')]);
    expect(moments.confirm('0/1000200')).toEqual(at(2, '0/1000200'));
  });

  test('counts in any case in a segment that is finished', () => {
    const moments = new Moments();
    moments.offer(at(1, '0/1000100'));
    moments.offer(at(2, '0/2000100'));
    expect(moments.inSegment(1n, MB16, true)).toEqual([at(1, '0/1000100')]);
  });

  test('tells up to which time a place holds everything', () => {
    const moments = new Moments();
    for (const moment of [at(1, '0/1000100'), at(2, '0/2000000'), at(3, '0/2000100')]) moments.offer(moment);
    moments.confirm('0/3000000');
    expect(moments.before(0x2000000n)).toEqual(at(2, '0/2000000'));
    expect(moments.before(0x1000000n)).toBeUndefined();
  });
});
