import type { View } from './view.ts';

/** How far ahead of the clock a backup may be: clocks differ a little between machines. */
const AHEAD_MS = 60 * 60_000;
const HOUR_MS = 60 * 60_000;

/** Why nothing of a source may be removed from a target now, or `undefined`. */
export type Obstacle = (view: View) => string | undefined;

/** Everything that stops the clean-up of a source on a target: as long as new backups do not arrive, old ones are all there is. */
export const OBSTACLES = {
  'none-good': ({ usable }) => (usable.length > 0 ? undefined : 'there is no good backup here'),

  stale: ({ usable, now, source }) => {
    const [newest] = usable;
    if (newest === undefined || newest.time >= now - source.freshnessLimitMs) return undefined;
    return `the newest good backup here, ${newest.label}, is ${hours(now - newest.time)} old, more than the limit of ${hours(source.freshnessLimitMs)}`;
  },

  'newest-failed': ({ here, usable }) => {
    const [good] = usable;
    const newer = here.filter(({ time, named }) => good === undefined || (time ?? named) > good.time);
    const bad = newer.find(({ key }) => usable.every((each) => each.key !== key));
    return bad && `the newest backup here, ${bad.label}, is not good`;
  },

  'last-run': ({ source }) => source.lastRunProblem,

  'from-the-future': ({ here, now }) => {
    const ahead = here.find(({ time, named }) => (time ?? named) > now + AHEAD_MS);
    return ahead && `${ahead.label} is later than this machine's clock: the clock is wrong, or was`;
  },
} as const satisfies Record<string, Obstacle>;

export type ObstacleName = keyof typeof OBSTACLES;

function hours(ms: number): string {
  return `${Math.round(ms / HOUR_MS)} h`;
}
