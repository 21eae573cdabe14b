import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bucketOf } from '../../../src/retention/calendar.ts';
import { KEEPERS, type KeeperName } from '../../../src/retention/keepers.ts';
import { OBSTACLES, type ObstacleName } from '../../../src/retention/obstacles.ts';
import { planRetention, type Decision, type RetentionInput, type RetentionLaw } from '../../../src/retention/plan.ts';
import type { HeldState, SourceState, StoredBackup } from '../../../src/retention/stored-backup.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-03-31T03:00:00Z');
const TARGETS = ['local', 's3'];
/** Enough to find each rule that is taken out of the program, by itself. */
const RUNS = 3000;
const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const;
const WHOLE: RetentionLaw = { keepers: KEEPERS, obstacles: OBSTACLES, onlyWholeCopy: true };

/** Often switched off: where few rules keep anything, each of them matters. */
const upTo = (max: number) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max }) });
const rules = fc.record({
  days: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 30 })),
  daily: upTo(10),
  weekly: upTo(6),
  monthly: upTo(6),
  yearly: upTo(3),
  minimum: upTo(5),
});
const oneIn = (n: number) => fc.integer({ min: 1, max: n }).map((value) => value === 1);
const held = fc.oneof(
  { weight: 8, arbitrary: fc.constant<HeldState | undefined>('sound') },
  { weight: 4, arbitrary: fc.constantFrom<HeldState | undefined>('usable', 'unindexed', 'unusable', 'expired', undefined) },
);
/** Most histories are nights in a row; ages are in hours, so that several lie on one day. */
const backup = fc.record({
  age: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 24, max: 24 * 30 }), fc.integer({ min: 24, max: 24 * 900 })),
  /** The name lies by so much. */
  misnamed: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: -400, max: 400 }) }),
  dated: oneIn(12).map((no) => !no),
  pinned: oneIn(8),
  proven: oneIn(5),
  stranger: oneIn(10),
  states: fc.tuple(held, held),
});
const history = fc.record({
  backups: fc.array(backup, { maxLength: 25 }),
  future: oneIn(10),
  policies: fc.tuple(rules, rules),
  limitHours: fc.oneof(fc.integer({ min: 2, max: 80 }), fc.integer({ min: 24 * 10, max: 24 * 300 })),
  lastRunFailed: oneIn(8),
});
type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

function inputOf({ backups, future, policies, limitHours, lastRunFailed }: History): RetentionInput {
  const shop: SourceState = {
    name: 'shop',
    freshnessLimitMs: limitHours * HOUR,
    ...(lastRunFailed && { lastRunProblem: 'the last backup ended with failure' }),
    rules: new Map(TARGETS.map((target, at) => [target, policies[at]!])),
  };
  return {
    now: NOW,
    targets: TARGETS,
    sources: [shop],
    backups: backups.map(({ age, misnamed, dated, pinned, proven, stranger, states }, at): StoredBackup => {
      const time = future && at === 0 ? NOW + 5 * HOUR : NOW - age * HOUR - at;
      return {
        key: `full/${at}`,
        label: `backup_${at}`,
        source: stranger ? 'gone' : 'shop',
        ...(dated && { time }),
        named: time + misnamed * HOUR,
        ...(pinned && { pin: '' }),
        proven,
        held: new Map(
          TARGETS.flatMap((target, place): [string, HeldState][] => (states[place] ? [[target, states[place]]] : [])),
        ),
      };
    }),
  };
}

/** What must hold of every plan, told in other words than the rules are written in. Throws where it does not. */
function invariants(input: RetentionInput, law: RetentionLaw): void {
  const plan = planRetention(input, law);
  const of = new Map(input.backups.map((each) => [each.key, each]));
  const source = input.sources[0]!;
  expect(plan.unconfigured).toEqual(input.backups.some(({ source: name }) => name === 'gone') ? ['gone'] : []);
  for (const target of input.targets) {
    const policy = source.rules.get(target)!;
    const mine = plan.decisions.filter((each) => each.target === target);
    const state = ({ key }: Decision) => of.get(key)!.held.get(target)!;
    const stays = mine.filter(({ action }) => action === 'keep').filter((each) => state(each) !== 'expired');
    const goes = mine.filter(({ action }) => action === 'remove');
    const time = ({ key }: Decision) => of.get(key)!.time ?? -Infinity;
    const newest = (of_: Decision[]) => of_.reduce<Decision | undefined>((a, b) => (a && time(a) >= time(b) ? a : b), undefined);
    const ours = mine.filter((each) => each.source === 'shop' && state(each) !== 'expired');
    const restores = ours.filter((each) => state(each) !== 'unusable' && time(each) !== -Infinity);
    const staying = new Set(stays.map(({ key }) => key));
    const mustStay = (each: Decision | undefined, why: string) => {
      if (each && !staying.has(each.key)) throw new Error(`${why}: ${each.key} goes from ${target}`);
    };

    expect(mine.map(({ key }) => key).sort()).toEqual(
      [...of.values()]
        .filter((each) => each.held.has(target))
        .map(({ key }) => key)
        .sort(),
    );
    expect(mine.every(({ reasons }) => reasons.length > 0)).toBe(true);

    mustStay(newest(restores), 'the newest good one');
    mustStay(newest(restores.filter((each) => state(each) === 'sound')), 'the newest whole one');
    mustStay(newest(restores.filter(({ key }) => of.get(key)!.proven)), 'the newest proven one');
    const left = restores.filter(({ key }) => staying.has(key));
    if (left.length < Math.min(policy.minimum, restores.length)) throw new Error('fewer than the minimum');
    const whole = restores.filter((each) => state(each) === 'sound');
    if (whole.filter(({ key }) => staying.has(key)).length < Math.min(policy.minimum, whole.length))
      throw new Error('fewer whole ones');
    for (const each of ours) {
      const { pin, time: when } = of.get(each.key)!;
      if (pin !== undefined) mustStay(each, 'pinned');
      if (when === undefined || state(each) === 'unindexed') mustStay(each, 'without a manifest');
      if (when !== undefined && when >= input.now - policy.days * DAY) mustStay(each, 'within its days');
    }
    for (const period of PERIODS) {
      const buckets = [...new Set(restores.map((each) => bucketOf[period](time(each))))]
        .sort((a, b) => b - a)
        .slice(0, policy[period]);
      for (const bucket of buckets) {
        const isOfIt = (each: Decision) => bucketOf[period](time(each)) === bucket;
        if (!left.some(isOfIt)) throw new Error(`nothing left of a ${period} bucket`);
        if (whole.some(isOfIt) && !left.some((each) => isOfIt(each) && state(each) === 'sound'))
          throw new Error(`nothing whole left of a ${period} bucket`);
      }
    }
    for (const each of goes) if (each.source !== 'shop') throw new Error('of a source that is not configured');

    // Nothing goes while something is wrong with what is new.
    const good = newest(restores);
    const bad = ours.filter((each) => !restores.includes(each));
    const when = ({ key }: Decision) => of.get(key)!.time ?? of.get(key)!.named;
    const wrong = [
      good === undefined,
      good !== undefined && input.now - time(good) > source.freshnessLimitMs,
      good !== undefined && bad.some((each) => when(each) > time(good)),
      ours.some((each) => when(each) > input.now + HOUR),
      source.lastRunProblem !== undefined,
    ].includes(true);
    if (wrong && goes.length > 0) throw new Error('something goes although something is wrong');
  }

  // What is to stay somewhere is whole somewhere, if it was.
  for (const { key, held: places } of of.values()) {
    const mine = plan.decisions.filter((each) => each.key === key && each.action === 'keep');
    if (mine.length === 0 || ![...places.values()].includes('sound')) continue;
    if (!mine.some(({ target }) => places.get(target) === 'sound')) throw new Error(`${key} stays, and nowhere whole`);
  }

  // Doing it and planning again changes nothing more.
  const after = input.backups.flatMap((each): StoredBackup[] => {
    const left = [...each.held].filter(([target]) =>
      plan.decisions.some((one) => one.key === each.key && one.target === target && one.action === 'keep'),
    );
    return left.length === 0 ? [] : [{ ...each, held: new Map(left) }];
  });
  const again = planRetention({ ...input, backups: after }, law);
  if (again.decisions.some(({ action }) => action === 'remove')) throw new Error('a second run removes more');
}

function find(law: RetentionLaw, runs: number): fc.RunDetails<[History]> {
  const property = fc.property(history, (each) => invariants(inputOf(each), law));
  return fc.check(property, { seed: 20_260_331, numRuns: runs, endOnFailure: true });
}

const without = <T extends object>(all: T, name: keyof T): Partial<T> => {
  const { [name]: _, ...rest } = all;
  return rest as Partial<T>;
};

describe('what the clean-up never removes', () => {
  test('holds for every policy and history', () => {
    fc.assert(
      fc.property(history, (each) => invariants(inputOf(each), WHOLE)),
      { seed: 20_260_331, numRuns: RUNS },
    );
  });

  // Each rule is there for something: without it, a backup is lost that must not be.
  test.each(Object.keys(KEEPERS) as KeeperName[])('is lost without the rule "%s"', (name) => {
    expect(find({ ...WHOLE, keepers: without(KEEPERS, name) }, 5000).failed).toBe(true);
  });
  test.each(Object.keys(OBSTACLES) as ObstacleName[])('is lost without the obstacle "%s"', (name) => {
    expect(find({ ...WHOLE, obstacles: without(OBSTACLES, name) }, 5000).failed).toBe(true);
  });
  test('is lost without the rule of the only whole copy', () => {
    expect(find({ ...WHOLE, onlyWholeCopy: false }, 5000).failed).toBe(true);
  });
});
