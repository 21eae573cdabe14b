import { bucketOf, type Period } from './calendar.ts';
import type { Dated, View } from './view.ts';

const DAY_MS = 24 * 60 * 60_000;

type Kept = readonly [key: string, says: string];

/** What a rule keeps of a view, by key, and why in words. */
export type Keeper = (view: View) => Iterable<Kept>;

/** Every rule that keeps a backup, by name. A backup that none of them keeps may go. */
export const KEEPERS = {
  pinned: ({ here }) =>
    here.flatMap(({ key, pin }) =>
      pin === undefined ? [] : [[key, pin === '' ? 'it is pinned' : `it is pinned: ${pin}`] as const],
    ),

  'no-manifest': ({ here, target }) =>
    here.flatMap(({ key, time, problem, held }): Kept[] => {
      if (time === undefined) return [[key, `no manifest says when it was made: ${problem ?? 'it could not be read'}`]];
      return held.get(target) === 'unindexed' ? [[key, 'its manifest is missing here']] : [];
    }),

  // Both: one that is newer but lacks something does not replace one that is whole.
  'newest-good': ({ usable, sound }) =>
    [...usable.slice(0, 1), ...sound.slice(0, 1)].map(({ key }) => [key, 'it is the newest good backup here'] as const),

  'newest-proven': ({ usable }) =>
    usable
      .filter(({ proven }) => proven)
      .slice(0, 1)
      .map(({ key }) => [key, 'it is the newest that a drill has proven'] as const),

  minimum: ({ usable, sound, rules }) =>
    [...usable.slice(0, rules.minimum), ...sound.slice(0, rules.minimum)].map(
      ({ key }) => [key, `at least ${rules.minimum} stay, however old`] as const,
    ),

  days: ({ dated, now, rules }) =>
    dated
      .filter(({ time }) => time >= now - rules.days * DAY_MS)
      .map(({ key }) => [key, `it is not older than ${rules.days} days`] as const),

  daily: (view) => newestOfEach('daily', view),
  weekly: (view) => newestOfEach('weekly', view),
  monthly: (view) => newestOfEach('monthly', view),
  yearly: (view) => newestOfEach('yearly', view),
} as const satisfies Record<string, Keeper>;

export type KeeperName = keyof typeof KEEPERS;

const NAMES: Record<Period, string> = { daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' };

/** Of each of the newest so many periods that have a backup, the best one. What restores is counted apart: damage takes no place away. */
function newestOfEach(period: Period, { usable, dated, rules }: View): Kept[] {
  const count = rules[period];
  return [...bestOfEach(period, usable, count), ...bestOfEach(period, dated, count)].map(
    ({ key }) => [key, `it stands for one of the last ${count} ${NAMES[period]}s (UTC)`] as const,
  );
}

function bestOfEach(period: Period, backups: readonly Dated[], count: number): Dated[] {
  const rank = { sound: 2, usable: 1, unindexed: 1, unusable: 0 } as const;
  const best = new Map<number, Dated>();
  for (const backup of backups) {
    const bucket = bucketOf[period](backup.time);
    const other = best.get(bucket);
    // Newest first: of two that are equally good the one that is there already is the newer one.
    if (other === undefined ? best.size < count : rank[backup.state] > rank[other.state]) best.set(bucket, backup);
  }
  return [...best.values()];
}
