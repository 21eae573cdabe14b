import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { linesOf, titleOf, type Problem } from '../../../src/notify/alert.ts';
import {
  clear,
  delivered,
  due,
  failed,
  keysOf,
  NOTHING,
  raise,
  reached,
  tidied,
  type AlertState,
} from '../../../src/notify/alert-state.ts';

const HOUR = 3_600_000;
const REPEAT = 12 * HOUR;
const CHANNELS = ['mail', 'slack'];
const START = Date.parse('2026-01-01T02:00:00Z');
const failure: Problem = {
  source: 'shop',
  job: 'nightly-backup',
  kind: 'failure',
  summary: 'the disk is full',
  hint: 'Make room.',
};
const at = (hours: number) => new Date(START + hours * HOUR);

/** What a channel is told now; it takes everything. */
function told(state: AlertState, now: Date, channels: readonly string[] = CHANNELS): [AlertState, string[]] {
  const deliveries = due(state, channels, now, REPEAT);
  const next = deliveries.reduce((before, delivery) => delivered(before, delivery, now), state);
  return [tidied(next, channels, []), deliveries.map(({ channel, alert }) => `${channel} ${alert.status} ${alert.times}`)];
}

describe('The state of alerts', () => {
  test('tells a problem once to each channel, again when it comes up after the set time, and its end once', () => {
    let state = raise(NOTHING, failure, at(0));
    let said: string[];
    [state, said] = told(state, at(0));
    expect(said).toEqual(['mail problem 1', 'slack problem 1']);
    [state, said] = told(raise(state, failure, at(1)), at(1));
    expect(said).toEqual([]);
    // Nobody saw it again: that it stands is known.
    [state, said] = told(state, at(0.5));
    expect(said).toEqual([]);
    [state, said] = told(raise(state, failure, at(12)), at(12));
    expect(said).toEqual(['mail problem 3', 'slack problem 3']);
    [state, said] = told(clear(state, failure, at(13)), at(13));
    expect(said).toEqual(['mail recovery 3', 'slack recovery 3']);
    expect(state.problems).toEqual([]);
    [, said] = told(clear(state, failure, at(14)), at(14));
    expect(said).toEqual([]);
  });

  test('is not reminded of what was not seen again, however long that is', () => {
    const [state] = told(raise(NOTHING, failure, at(0)), at(0));
    expect(due(state, CHANNELS, at(1000), REPEAT)).toEqual([]);
  });

  test('keeps due what a channel did not take, and says so until it takes something', () => {
    let state = raise(NOTHING, failure, at(0));
    const [mail] = due(state, CHANNELS, at(0), REPEAT);
    state = delivered(state, mail!, at(0));
    state = failed(state, 'slack', 'it answered 500', at(0));
    state = failed(state, 'slack', 'it answered 503', at(1));
    expect(state.undelivered).toEqual([
      { channel: 'slack', since: at(0).toISOString(), attempts: 2, message: 'it answered 503' },
    ]);
    const still = due(state, CHANNELS, at(1), REPEAT);
    expect(still.map(({ channel }) => channel)).toEqual(['slack']);
    expect(delivered(state, still[0]!, at(2)).undelivered).toEqual([]);
    expect(reached(state, 'slack').undelivered).toEqual([]);
    // One that is configured no more is not waited for.
    expect(tidied(state, ['mail'], []).undelivered).toEqual([]);
  });

  test('still tells of a problem that was over before anybody could be told, with when it was', () => {
    const state = clear(raise(NOTHING, failure, at(0)), failure, at(1));
    const [delivery] = due(state, ['mail'], at(2), REPEAT);
    expect(delivery!.alert).toMatchObject({
      status: 'recovery',
      summary: 'the disk is full',
      since: at(0).toISOString(),
      at: at(1).toISOString(),
    });
  });

  test('says of what nobody looks at any more why it is over, and nothing of that when it comes up anew', () => {
    const why = 'it was turned off';
    const state = clear(raise(NOTHING, failure, at(0)), { ...failure, why }, at(1));
    const [delivery] = due(state, ['mail'], at(2), REPEAT);
    expect(delivery!.alert).toMatchObject({ status: 'recovery', endedBy: why });
    expect(titleOf(delivery!.alert)).toBe('Not looked at any more: nightly-backup of shop (failure)');
    expect(linesOf(delivery!.alert)[0]).toBe(`It is over since ${at(1).toISOString()}: ${why}. It was: the disk is full`);
    expect(due(raise(state, failure, at(3)), ['mail'], at(3), REPEAT)[0]!.alert).not.toHaveProperty('endedBy');
  });

  test('knows a problem by source, job and kind', () => {
    let state = raise(NOTHING, failure, at(0));
    for (const other of [{ source: 'crm' }, { job: 'restore-drill' }, { kind: 'rpo' as const }]) {
      state = clear(state, { ...failure, ...other }, at(1));
      state = raise(state, { ...failure, ...other }, at(1));
    }
    expect(state.problems).toHaveLength(4);
    expect(state.problems.every(({ over }) => over === undefined)).toBe(true);
  });

  test('has one problem for all that depend on what is wrong, and one that outlasts its cause stays a part of it', () => {
    const cause = { name: 'server db:5432', sources: ['shop', 'crm', 'erp'] };
    const of = (source: string): Problem => ({ ...failure, source, cause });
    let said: string[];
    let state = raise(raise(NOTHING, of('shop'), at(0)), of('crm'), at(0));
    [state, said] = told(state, at(0), ['mail']);
    expect(said).toEqual(['mail problem 2']);
    expect(state.problems).toMatchObject([{ source: 'server db:5432', seenIn: ['shop', 'crm'], concerns: cause.sources }]);
    [state, said] = told(raise(state, of('erp'), at(1)), at(1), ['mail']);
    expect(said).toEqual([]);
    expect(keysOf(state).map(({ source }) => source)).toEqual(['shop', 'crm', 'erp']);
    state = clear(clear(state, failure, at(2)), { ...failure, source: 'crm' }, at(2));
    state = raise(state, { ...failure, source: 'erp', follows: true }, at(2));
    [state, said] = told(state, at(2), ['mail']);
    expect(said).toEqual([]);
    [state, said] = told(clear(state, { ...failure, source: 'erp' }, at(3)), at(3), ['mail']);
    expect(said).toEqual(['mail recovery 4']);
    expect(state.problems).toEqual([]);
  });

  test('leaves a source that was told of by itself as it is, and takes one out that has come to have a reason of its own', () => {
    const cause = { name: 'server db:5432', sources: ['shop', 'crm'] };
    let said: string[];
    let [state] = told(raise(NOTHING, failure, at(0)), at(0), ['mail']);
    [state, said] = told(raise(state, { ...failure, cause }, at(1)), at(1), ['mail']);
    expect([said, state.problems.map(({ source }) => source)]).toEqual([[], ['shop']]);
    [state] = told(raise(NOTHING, { ...failure, cause }, at(0)), at(0), ['mail']);
    [, said] = told(raise(state, failure, at(1)), at(1), ['mail']);
    expect(said).toEqual(['mail recovery 1', 'mail problem 1']);
  });

  test('does not fall silent when the clock was set back', () => {
    const [state] = told(raise(NOTHING, failure, at(1000)), at(1000));
    expect(due(raise(state, failure, at(0)), ['mail'], at(0), REPEAT)).toHaveLength(1);
  });

  type Step = { readonly hours: number; readonly seen: 'bad' | 'well' | 'nothing'; readonly takes: Record<string, boolean> };
  const step: fc.Arbitrary<Step> = fc.record({
    hours: fc.integer({ min: 1, max: 30 }),
    seen: fc.constantFrom('bad', 'well', 'nothing'),
    takes: fc.record({ mail: fc.boolean(), slack: fc.boolean() }),
  });

  test('never nags, never forgets, and never says that something is over that was not', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let state = NOTHING;
        let hours = 0;
        let isBad = false;
        const heard: Record<string, { status: string; hours: number; id: string }[]> = { mail: [], slack: [] };
        for (const { hours: later, seen, takes } of steps) {
          hours += later;
          const now = at(hours);
          if (seen === 'bad') [state, isBad] = [raise(state, failure, now), true];
          if (seen === 'well') [state, isBad] = [clear(state, failure, now), false];
          // As it is kept between runs.
          state = JSON.parse(JSON.stringify(state));
          for (const delivery of due(state, CHANNELS, now, REPEAT)) {
            const { channel, alert } = delivery;
            if (!takes[channel]) {
              state = failed(state, channel, 'no', now);
              continue;
            }
            // What is said is true at the moment.
            expect(alert.status).toBe(isBad ? 'problem' : 'recovery');
            const last = heard[channel]!.at(-1);
            // Nothing is told twice.
            expect(heard[channel]!.map(({ id }) => id)).not.toContain(alert.id);
            // Within one problem there is the set time between two tellings.
            if (
              last?.status === 'problem' &&
              alert.status === 'problem' &&
              alert.times > 1 &&
              last.id.includes(encodeURIComponent(alert.since))
            ) {
              expect((hours - last.hours) * HOUR).toBeGreaterThanOrEqual(REPEAT);
            }
            heard[channel]!.push({ status: alert.status, hours, id: alert.id });
            state = delivered(state, delivery, now);
          }
          state = tidied(state, CHANNELS, []);
        }
        // When all take everything once more, all know how it is, and nothing is due any more.
        [state] = told(state, at(hours));
        expect(due(state, CHANNELS, at(hours), REPEAT)).toEqual([]);
        expect(state.problems.some(({ over }) => over === undefined)).toBe(isBad);
        if (!isBad) expect(state.problems).toEqual([]);
      }),
    );
  });
});
