import { autoOr, cron, integer } from './formats.ts';
import type { Setting } from './setting.ts';

const RULES = [
  ['days', 7, 'How many days every backup is kept.'],
  ['daily', 0, 'For how many days (UTC) the newest backup of the day is kept; days without a backup are not counted. 0: none.'],
  ['weekly', 0, 'For how many ISO weeks (UTC) the newest backup of the week is kept. 0: none.'],
  ['monthly', 0, 'For how many months (UTC) the newest backup of the month is kept. 0: none.'],
  ['yearly', 0, 'For how many years (UTC) the newest backup of the year is kept. 0: none.'],
  ['minimum', 3, 'How many good backups stay at least, however old.'],
] as const;

const count = (name: string) => integer(name === 'days' || name === 'minimum' ? 1 : 0, 36_500);

/** What is removed, when, and what is re-read. */
export const RETENTION_SETTINGS: readonly Setting[] = [
  {
    key: 'schedule.cleanup',
    format: cron,
    default: '0 3 * * 0',
    env: ['CLEANUP_SCHEDULE'],
    about: 'When the clean-up runs, as a cron expression: old backups are removed, and some of what stays is re-read.',
  },
  ...RULES.map(([name, byDefault, about]): Setting => ({
    key: `retention.${name}`,
    format: count(name),
    default: byDefault,
    env: [`RETENTION_${name.toUpperCase()}`],
    about: `${about} See [retention](retention.md).`,
  })),
  ...RULES.map(([name]): Setting => ({
    key: `retention.s3.${name}`,
    format: autoOr(count(name)),
    default: 'auto',
    env: [`RETENTION_S3_${name.toUpperCase()}`],
    about: `The same in the bucket. \`auto\`: as \`retention.${name}\`.`,
  })),
  {
    key: 'retention.freshnessMinutes',
    format: autoOr(integer(1, 5_256_000, 'minutes')),
    default: 'auto',
    env: ['RETENTION_FRESHNESS_MINUTES'],
    about:
      'How old the newest good backup may be; while it is older, nothing is removed. `auto`: the longest gap of the schedule and two hours.',
  },
  {
    key: 'retention.reportYears',
    format: integer(1, 100, 'years'),
    default: 7,
    env: ['RETENTION_REPORT_YEARS'],
    about: 'How long reports are kept.',
  },
  {
    key: 'retention.hourlyReportDays',
    format: integer(1, 36_500, 'days'),
    default: 31,
    env: ['RETENTION_HOURLY_REPORT_DAYS'],
    about: 'After how many days of the hourly reports only the last of each day stays, and those that tell of trouble.',
  },
  {
    key: 'scrub.mebibytes',
    format: integer(0, 1_000_000_000, 'MiB'),
    default: 10_240,
    env: ['SCRUB_MEBIBYTES'],
    about: 'How much of what is stored each clean-up re-reads and compares with the manifests, on each target. 0: nothing.',
  },
];
