import type { Config } from '../config.ts';
import type { Objectives } from '../jobs/overview.ts';
import { longestGap } from '../scheduler.ts';

/** How late a backup may be: the time that a run takes, and its attempts. */
const LATE_MS = 2 * 60 * 60_000;
/** Of a schedule that has no two runs: then backups are made by something else, or not at all. */
const DAY_MS = 24 * 60 * 60_000;

/** How old the newest good backup of a source may be, ms. */
export function freshnessLimitMs({ retention, schedule }: Pick<Config, 'retention' | 'schedule'>): number {
  if (retention.freshnessMinutes !== 'auto') return retention.freshnessMinutes * 60_000;
  return (longestGap(schedule.backup, schedule.timeZone) ?? DAY_MS) + LATE_MS;
}

/** How old its newest physical backup may be, ms. */
export function baseLimitMs({ schedule }: Pick<Config, 'schedule'>): number {
  return (longestGap(schedule.base, schedule.timeZone) ?? DAY_MS) + LATE_MS;
}

/** What a source is measured by. */
export function objectivesOf(config: Config): Objectives {
  const { drill, schedule } = config;
  return {
    freshnessLimitMs: freshnessLimitMs(config),
    rpoMinutes: drill.rpoMinutes,
    rtoMinutes: drill.rtoMinutes,
    scheduleMinutes: () => {
      const gap = longestGap(schedule.backup, schedule.timeZone);
      return gap === undefined ? undefined : gap / 60_000;
    },
  };
}
