import { describe, expect, test } from '@jest/globals';
import { chooseWindow, type RecoveryTarget } from '../../../src/wal/choose-window.ts';
import { recoverable, type BaseFacts, type StoredWal } from '../../../src/wal/recoverable.ts';

const MB16 = 16 * 2 ** 20;
const base = (label: string, over: Partial<BaseFacts> = {}): BaseFacts => ({
  ...{ label, timeline: 1, startLsn: '0/2000028', endLsn: '0/2000100', finishedAt: '2026-01-01T00:00:00Z', includesWal: false },
  ...over,
});
const name = (timeline: number, number: number): string =>
  `${String(timeline).padStart(8, '0')}00000000${number.toString(16).toUpperCase().padStart(8, '0')}`;
const wal = (segments: string[], over: Partial<StoredWal> = {}): StoredWal => ({
  ...{ segmentBytes: MB16, segments: new Set(segments), open: new Set<string>(), histories: new Map() },
  ...{ momentsOf: () => [], lookOf: () => undefined },
  ...over,
});

describe('what can be recovered', () => {
  test('reaches from the end of the base to the end of the last segment in a row', () => {
    const { windows, unusable } = recoverable([base('b')], wal([name(1, 2), name(1, 3)]));
    expect(windows).toEqual([expect.objectContaining({ base: 'b', fromLsn: '0/2000100', toLsn: '0/4000000', timeline: 1 })]);
    expect(windows[0]).not.toHaveProperty('gap');
    expect(unusable).toEqual([]);
  });

  test('ends at a missing segment, and names it', () => {
    const [window] = recoverable([base('b')], wal([name(1, 2), name(1, 4)])).windows;
    expect(window).toMatchObject({ toLsn: '0/3000000', gap: `${name(1, 3)} is missing` });
  });

  test('a base whose own WAL is not all there is of no use', () => {
    const { windows, unusable } = recoverable([base('b', { endLsn: '0/3000100' })], wal([name(1, 2)]));
    expect(windows).toEqual([]);
    expect(unusable[0]?.why).toContain(name(1, 3));
  });

  test('a base with its own WAL needs none to become consistent', () => {
    const [window] = recoverable([base('b', { includesWal: true })], wal([])).windows;
    expect(window).toMatchObject({ fromLsn: '0/2000100', toLsn: '0/2000100', segments: [] });
  });

  test('an open segment counts as far as its copy goes, and why that is less than was noted is said', () => {
    const stored = wal([name(1, 2)], {
      open: new Set([name(1, 3)]),
      lookOf: () => ({ reach: 0x3000500n, short: 'it goes to 0/3000500' }),
      momentsOf: (segment) => (segment === name(1, 3) ? [{ time: '2026-01-01T00:10:00Z', lsn: '0/3000500' }] : []),
    });
    const [window] = recoverable([base('b')], stored).windows;
    expect(window).toMatchObject({ toLsn: '0/3000500', toTime: '2026-01-01T00:10:00Z', segments: [name(1, 2), name(1, 3)] });
    expect(window).toMatchObject({ short: 'it goes to 0/3000500' });
  });

  test('an open segment with others behind it was never finished: a gap', () => {
    const stored = wal([name(1, 2), name(1, 4)], {
      open: new Set([name(1, 3)]),
      lookOf: () => ({ reach: 0x3000500n }),
      momentsOf: () => [{ time: '2026-01-01T00:10:00Z', lsn: '0/3000500' }],
    });
    expect(recoverable([base('b')], stored).windows[0]).toMatchObject({
      toLsn: '0/3000500',
      gap: `${name(1, 3)} was never finished`,
    });
  });

  test('a base is not usable by an open segment that may end before it', () => {
    const stored = wal([], {
      open: new Set([name(1, 2)]),
      lookOf: () => ({ reach: 0x2000080n }),
    });
    expect(recoverable([base('b')], stored).windows).toEqual([]);
  });

  const switched = wal([name(1, 2), name(1, 3), name(2, 3), name(2, 4)], {
    histories: new Map([[2, [{ parent: 1, lsn: 0x3000800n }]]]),
  });

  test('goes on along the newest timeline that comes from its own', () => {
    const [window] = recoverable([base('b')], switched).windows;
    expect(window).toMatchObject({ timeline: 2, toLsn: '0/5000000', segments: [name(1, 2), name(2, 3), name(2, 4)] });
  });

  test('stays on an older timeline when it is asked for', () => {
    const [window] = recoverable([base('b')], switched, 1).windows;
    expect(window).toMatchObject({ timeline: 1, toLsn: '0/4000000' });
  });

  test('a base that was taken after its timeline was left stays on it', () => {
    const late = base('late', { startLsn: '0/3000900', endLsn: '0/3000A00' });
    expect(recoverable([late], switched).windows[0]).toMatchObject({ timeline: 1, toLsn: '0/4000000' });
    expect(recoverable([late], switched, 2).unusable).toHaveLength(1);
  });

  test('segments of another timeline fill no gap', () => {
    const [window] = recoverable([base('b')], wal([name(1, 2), name(2, 3)])).windows;
    expect(window).toMatchObject({ timeline: 1, toLsn: '0/3000000' });
  });
});

describe('the choice of a base', () => {
  const moments = new Map([
    [name(1, 3), [{ time: '2026-01-01T01:00:00Z', lsn: '0/3000500' }]],
    [name(1, 6), [{ time: '2026-01-01T05:00:00Z', lsn: '0/6000500' }]],
  ]);
  const found = recoverable(
    [base('old'), base('new', { startLsn: '0/5000028', endLsn: '0/5000100', finishedAt: '2026-01-01T04:00:00Z' })],
    wal([name(1, 2), name(1, 3), name(1, 5), name(1, 6)], { momentsOf: (segment) => moments.get(segment) ?? [] }),
  );
  const at = (time: string): RecoveryTarget => ({ kind: 'time', time });

  test('takes the newest from which the target can be reached', () => {
    expect(chooseWindow(found, { kind: 'latest' }).base).toBe('new');
    expect(chooseWindow(found, at('2026-01-01T04:30:00Z')).base).toBe('new');
    expect(chooseWindow(found, at('2026-01-01T00:30:00Z')).base).toBe('old');
    expect(chooseWindow(found, { kind: 'lsn', lsn: '0/3000000' }).base).toBe('old');
  });

  test.each([
    [
      'in a gap',
      '2026-01-01T02:00:00Z',
      /last before it that can is 2026-01-01T01:00:00Z, the first after it is 2026-01-01T04:00:00Z.*is missing/,
    ],
    ['in the future', '2027-01-01T00:00:00Z', /last before it that can is 2026-01-01T05:00:00Z/],
    ['before the first', '2025-01-01T00:00:00Z', /first after it is 2026-01-01T00:00:00Z/],
  ])('refuses a target %s, and names the nearest', (_, time, says) => {
    expect(() => chooseWindow(found, at(time))).toThrow(says);
  });

  test('says so when there is no base at all', () => {
    expect(() => chooseWindow({ windows: [], unusable: [] }, { kind: 'latest' })).toThrow(/there is no physical backup/);
  });
});
