import { describe, expect, test } from '@jest/globals';
import type { JobDraft, LedgerEntry } from '../../../src/report/ledger-entry.ts';
import { runHistory } from '../../../src/report/run-history.ts';
import { nextSlot, slotsBetween } from '../../../src/scheduler.ts';

const DAILY = { job: 'nightly-backup', expression: '0 2 * * *', timeZone: 'UTC' };
const DAY_MS = 24 * 60 * 60_000;

let number = 0;
const at = (time: string) => ({ number: (number += 1), previous: '', time: `2026-03-${time}:00.000Z` });
const scheduled = (time: string, schedules = [DAILY]): LedgerEntry => ({ ...at(time), kind: 'schedule', schedules });
const entry = (time: string, facts: Omit<JobDraft, 'kind' | 'job'>): LedgerEntry => ({
  ...{ ...at(time), kind: 'job', job: DAILY.job },
  ...facts,
});
const slot = (day: string) => `2026-03-${day}T02:00:00.000Z`;
const done = (day: string): LedgerEntry =>
  entry(`${day}T02:10`, { state: 'done', result: 'success', slot: slot(day), startedAt: slot(day) });

function historyAt(now: string, entries: readonly LedgerEntry[], owedWithinMs = DAY_MS) {
  const options = { now: new Date(`2026-03-${now}:00.000Z`), nextSlot, slotsBetween, owedWithinMs };
  return runHistory(entries, [DAILY], options)[0]!;
}

describe('The history of a job', () => {
  test('is empty where nothing was entered, but knows what is next', () => {
    expect(historyAt('02T12:00', [])).toEqual({ schedule: DAILY, next: new Date(slot('03')) });
    // Before the schedule nothing was due.
    expect(historyAt('02T12:00', [scheduled('02T11:00')]).owed).toBeUndefined();
  });

  test('names the last run, the last success and what comes next', () => {
    const failed = entry('03T02:01', {
      state: 'failed',
      result: 'failure',
      slot: slot('03'),
      startedAt: slot('03'),
      why: 'no space',
    });
    const history = historyAt('03T12:00', [scheduled('01T12:00'), done('02'), failed]);
    expect(history).toEqual({
      schedule: DAILY,
      last: { slot: new Date(slot('03')), state: 'failed', result: 'failure', at: new Date(slot('03')), why: 'no space' },
      lastSuccess: { slot: new Date(slot('02')), state: 'done', result: 'success', at: new Date(slot('02')) },
      next: new Date(slot('04')),
    });
  });

  test('says why the last slot had no run, until there is a run', () => {
    const missed = entry('03T09:00', { state: 'missed', slot: slot('03'), why: 'the daemon was down' });
    const entries = [scheduled('01T12:00'), done('02'), missed];
    expect(historyAt('03T12:00', entries).passedOver).toMatchObject({
      slot: new Date(slot('03')),
      state: 'missed',
      why: 'the daemon was down',
    });
    expect(historyAt('04T12:00', [...entries, done('04')]).passedOver).toBeUndefined();
  });

  describe('owes', () => {
    const before = [scheduled('01T12:00'), done('02')];
    const facts = { slot: slot('03'), startedAt: slot('03') };

    test('the newest slot that has no run, and only that one', () => {
      expect(historyAt('03T12:00', before).owed).toEqual(new Date(slot('03')));
      expect(historyAt('04T12:00', before, 10 * DAY_MS).owed).toEqual(new Date(slot('04')));
    });

    test('a slot that was entered as missed, or whose run was aborted', () => {
      expect(historyAt('03T12:00', [...before, entry('03T09:00', { state: 'missed', slot: slot('03') })]).owed).toBeDefined();
      expect(historyAt('03T12:00', [...before, entry('03T02:01', { state: 'aborted', ...facts })]).owed).toBeDefined();
    });

    test.each([
      ['it was run', done('03')],
      ['it was tried and failed', entry('03T02:01', { state: 'failed', ...facts })],
      [
        'it was made up for',
        entry('03T09:10', { state: 'done', due: slot('03'), sameSlotAs: 1, startedAt: '2026-03-03T09:00:00.000Z' }),
      ],
      ['a run by hand came after it', entry('03T08:00', { state: 'done', startedAt: '2026-03-03T08:00:00.000Z' })],
      ['another run was at work', entry('03T02:00', { state: 'skipped', slot: slot('03') })],
    ])('nothing when %s', (_why, settling) => {
      const missed = entry('03T07:00', { state: 'missed', slot: slot('03') });
      expect(historyAt('03T12:00', [...before, missed, settling]).owed).toBeUndefined();
    });

    test('nothing that is older than the window, or older than the schedule', () => {
      expect(historyAt('03T12:00', before, 9 * 60 * 60_000).owed).toBeUndefined();
      expect(historyAt('03T12:00', before, 11 * 60 * 60_000).owed).toBeDefined();
      const other = { ...DAILY, expression: '0 5 * * *' };
      const changed = [scheduled('01T12:00', [other]), scheduled('03T02:30')];
      expect(historyAt('03T12:00', changed).owed).toBeUndefined();
    });
  });
});
