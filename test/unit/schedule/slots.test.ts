import { describe, expect, test } from '@jest/globals';
import { TimeZone } from '../../../src/schedule/time-zone.ts';
import { slotsBetween } from '../../../src/scheduler.ts';

const HOUR_MS = 60 * 60_000;
const FROM = new Date('2026-01-01T00:00:00Z');
const UNTIL = new Date('2036-01-01T00:00:00Z');
/** Whole hours, half an hour, at midnight in both halves of the world, before and after Ramadan, and none. */
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Asia/Beirut',
  'Africa/Casablanca',
  'UTC',
];

/** What clocks show, by the runtime's own formatter. */
function clockOf(timeZone: string): (slot: Date) => { day: string; time: string } {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return (slot) => {
    const [day = '', time = ''] = format.format(slot).split(' ');
    return { day, time };
  };
}

/** Every date from the first to the last of ten years: a calendar of its own, without time zones. */
function allDates(isOne: (date: Date) => boolean): string[] {
  const dates: string[] = [];
  for (let at = Date.UTC(2026, 0, 2); at < Date.UTC(2035, 11, 31); at += 24 * HOUR_MS) {
    if (isOne(new Date(at))) dates.push(new Date(at).toISOString().slice(0, 10));
  }
  return dates;
}

function tenYears(expression: string, timeZone: string): Date[] {
  return [...slotsBetween({ expression, timeZone }, FROM, UNTIL)];
}

const inside = (day: string): boolean => day >= '2026-01-02' && day <= '2035-12-30';

describe('Over ten years', () => {
  describe.each(ZONES)('in %s', (timeZone) => {
    const clock = clockOf(timeZone);

    test.each(['0 2 * * *', '30 2 * * *', '0 0 * * *', '30 1 * * *'])('%s is due once on every date', (expression) => {
      const slots = tenYears(expression, timeZone);
      const shown = slots.map((slot) => clock(slot));
      expect(shown.map(({ day }) => day).filter(inside)).toEqual(allDates(() => true));
      // At its time, but for the days on which there is no such time: then when clocks have been set forward.
      const [minute, hour] = expression.split(' ').map((field) => field.padStart(2, '0'));
      const odd = slots.filter((_, at) => shown[at]!.time !== `${hour}:${minute}:00`);
      const zone = new TimeZone(timeZone);
      const set = odd.map((slot) => zone.offsetAt(slot.getTime()) - zone.offsetAt(slot.getTime() - 1));
      expect(set.filter((ms) => ms <= 0)).toEqual([]);
      expect(odd.length).toBeLessThanOrEqual(10);
    });

    test('0 4 1-7 * 0 is due once a month, on its first Sunday', () => {
      const days = tenYears('0 4 1-7 * 0', timeZone).map((slot) => clock(slot).day);
      const sundays = allDates((date) => date.getUTCDay() === 0 && date.getUTCDate() <= 7);
      expect(days.filter(inside)).toEqual(sundays);
    });

    test.each(['0 * * * *', '15 * * * *'])('%s is never later than its interval, as long as clocks run evenly', (expression) => {
      const slots = tenYears(expression, timeZone).map((slot) => slot.getTime());
      const zone = new TimeZone(timeZone);
      const uneven = slots
        .slice(1)
        .flatMap((slot, at) => (slot - slots[at]! === HOUR_MS ? [] : [{ from: slots[at]!, to: slot }]));
      // Only where clocks are set by half an hour: sooner, and in autumn later by as much as they are set back.
      if (timeZone !== 'Australia/Lord_Howe') expect(uneven).toEqual([]);
      expect(uneven.length).toBeLessThanOrEqual(40);
      for (const { from, to } of uneven) {
        expect(to - from).toBeLessThanOrEqual(HOUR_MS + Math.max(0, zone.offsetAt(from) - zone.offsetAt(to)));
      }
    });
  });

  test('an hourly job runs at every full hour that there is', () => {
    const slots = tenYears('0 * * * *', 'Europe/Berlin');
    expect(slots).toHaveLength((UNTIL.getTime() - FROM.getTime()) / HOUR_MS);
  });
});

describe('Where clocks are changed', () => {
  const at = (expression: string, timeZone: string, after: string, until: string) =>
    [...slotsBetween({ expression, timeZone }, new Date(after), new Date(until))].map((slot) => slot.toISOString().slice(5, 16));
  const spring = ['2026-03-28T12:00:00Z', '2026-03-29T12:00:00Z'] as const;
  const autumn = ['2026-10-24T12:00:00Z', '2026-10-25T12:00:00Z'] as const;

  test.each([
    ['0 2 * * *', ['03-29T01:00']],
    ['30 2 * * *', ['03-29T01:00']],
    // All that is skipped is one slot, and the same as one that is due then.
    ['*/15 2 * * *', ['03-29T01:00']],
    ['0 2,3 * * *', ['03-29T01:00']],
    ['30 2,3 * * *', ['03-29T01:00', '03-29T01:30']],
    ['0 2 28 * *', []],
    ['0 2 * * 0', ['03-29T01:00']],
  ])('in spring %s is due after what is skipped (Europe/Berlin)', (expression, slots) => {
    expect(at(expression, 'Europe/Berlin', ...spring)).toEqual(slots);
  });

  test.each([
    ['0 2 * * *', ['10-25T00:00']],
    ['30 2 * * *', ['10-25T00:30']],
    ['*/30 2 * * *', ['10-25T00:00', '10-25T00:30']],
    ['0 3 * * *', ['10-25T02:00']],
  ])('in autumn %s is due the first time (Europe/Berlin)', (expression, slots) => {
    expect(at(expression, 'Europe/Berlin', ...autumn)).toEqual(slots);
  });

  test.each([
    ['half an hour is skipped', '15 2 * * *', '2026-10-03T12:00:00Z', '2026-10-04T12:00:00Z', ['10-03T15:30']],
    [
      'half an hour is skipped',
      '0 1-3 * * *',
      '2026-10-03T14:00:00Z',
      '2026-10-04T12:00:00Z',
      ['10-03T14:30', '10-03T15:30', '10-03T16:00'],
    ],
    [
      'half an hour is skipped',
      '0 * * * *',
      '2026-10-03T14:00:00Z',
      '2026-10-03T16:30:00Z',
      ['10-03T14:30', '10-03T15:30', '10-03T16:00'],
    ],
    ['half an hour comes twice', '45 1 * * *', '2026-04-04T12:00:00Z', '2026-04-05T12:00:00Z', ['04-04T14:45']],
  ])('%s: %s (Australia/Lord_Howe)', (_what, expression, after, until, slots) => {
    expect(at(expression, 'Australia/Lord_Howe', after, until)).toEqual(slots.filter((slot) => slot > after.slice(5, 16)));
  });

  test('a search that begins in the hour that comes twice finds nothing for a second time', () => {
    expect(at('30 2 * * *', 'Europe/Berlin', '2026-10-25T01:10:00Z', '2026-10-25T12:00:00Z')).toEqual([]);
    expect(at('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T12:00:00Z')).toEqual([]);
    expect(at('30 2 * * *', 'Europe/Berlin', '2026-10-25T00:29:59Z', '2026-10-25T12:00:00Z')).toEqual(['10-25T00:30']);
  });
});
