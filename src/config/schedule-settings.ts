import { integer } from './formats.ts';
import type { Values } from './merge.ts';
import type { Setting } from './setting.ts';

/** At most 24 days: what a timer can wait for. */
const minutes = integer(1, 34_560, 'minutes');
const HOUR_MS = 60 * 60_000;
const MINUTE_MS = 60_000;

const limit = (job: string, variable: string, what: string): Setting => ({
  key: `limits.${job}Minutes`,
  format: minutes,
  default: 24 * 60,
  env: [`${variable}_LIMIT_MINUTES`],
  about: `How long ${what} may take in all. After that it is aborted, reported and told; the next one starts at its time.`,
});

/** What the scheduler does where a run was missed, hangs or takes too long. */
export const SCHEDULE_SETTINGS: readonly Setting[] = [
  {
    key: 'schedule.catchUpHours',
    format: integer(0, 24 * 31, 'hours'),
    default: 24,
    env: ['BACKUP_CATCH_UP_HOURS'],
    about:
      'How late a slot that was missed is still made up for: of each job the newest one, once. With 0 nothing is run at the start of the daemon, not even the first backup of a source, nor the first physical one when its WAL begins to be streamed.',
  },
  {
    key: 'schedule.staggerSeconds',
    format: integer(0, 3600, 'seconds'),
    default: 30,
    env: ['BACKUP_STAGGER_SECONDS'],
    about: 'At the start of the daemon, the time between what is due for one source and what is due for the next.',
  },
  {
    key: 'limits.stallSeconds',
    format: integer(2, 86_400, 'seconds'),
    default: 300,
    env: ['BACKUP_STALL_SECONDS'],
    about:
      'How long a run may neither move a byte nor have a server at work for it. Then it is aborted, reported and told, and tried again after a pause.',
  },
  limit('backup', 'BACKUP', 'a backup'),
  limit('cleanup', 'CLEANUP', 'a clean-up'),
  limit('drill', 'DRILL', 'a restore drill'),
];

export interface LimitsConfig {
  readonly stallMs: number;
  /** By name of the job. */
  readonly jobMs: Readonly<Record<'nightly-backup' | 'weekly-cleanup' | 'restore-drill' | 'pitr-drill', number>>;
}

export function limitsConfig(values: Values): LimitsConfig {
  const ms = (job: string) => values.number(`limits.${job}Minutes`) * MINUTE_MS;
  return {
    stallMs: values.number('limits.stallSeconds') * 1000,
    jobMs: {
      'nightly-backup': ms('backup'),
      'weekly-cleanup': ms('cleanup'),
      'restore-drill': ms('drill'),
      'pitr-drill': ms('drill'),
    },
  };
}

export interface CatchUpConfig {
  readonly catchUpMs: number;
  readonly staggerMs: number;
}

export function catchUpConfig(values: Values): CatchUpConfig {
  return {
    catchUpMs: values.number('schedule.catchUpHours') * HOUR_MS,
    staggerMs: values.number('schedule.staggerSeconds') * 1000,
  };
}
