import { cron, flag, integer, text } from './formats.ts';
import type { Values } from './merge.ts';
import type { Setting } from './setting.ts';

/** Point-in-time recovery. */
export const PITR_SETTINGS: readonly Setting[] = [
  {
    key: 'schedule.base',
    format: cron,
    default: '0 1 * * 0',
    env: ['PITR_BASE_SCHEDULE'],
    about: 'When physical backups are made, as a cron expression. Recovery replays the WAL since the last one.',
  },
  {
    key: 'pitr.enabled',
    format: flag,
    default: false,
    env: ['PITR_ENABLED'],
    about:
      'Whether WAL is streamed and physical backups are made ([point-in-time recovery](pitr.md)). Needs a role with REPLICATION.',
  },
  {
    key: 'pitr.slot',
    format: text('the name of a replication slot (lower-case letters, digits, underscores)', /^[a-z0-9_]{1,63}$/),
    default: 'db_backup',
    env: ['PITR_SLOT'],
    about: 'The physical replication slot on the source. It is made when it is missing; nobody else may use it.',
  },
  {
    key: 'pitr.intervalSeconds',
    format: integer(1, 3600, 'seconds'),
    default: 5,
    env: ['PITR_INTERVAL'],
    about:
      'How often the WAL segment that is still open is copied to the other targets, and a heartbeat is committed on the source.',
  },
  {
    key: 'pitr.maxRateKiB',
    format: integer(0, 1_048_576, 'KiB a second'),
    default: 0,
    env: ['PITR_MAX_RATE'],
    about: 'How fast the source reads its files for a physical backup; 0: as fast as it can. From 32 on, as PostgreSQL wants it.',
  },
  {
    key: 'pitr.keepDays',
    format: integer(1, 36_500, 'days'),
    default: 7,
    env: ['PITR_KEEP_DAYS'],
    about: 'How far back any instant stays recoverable. The two newest physical backups stay in any case, with their WAL.',
  },
];

export interface PitrConfig {
  readonly enabled: boolean;
  readonly slot: string;
  readonly intervalSeconds: number;
  /** KiB a second; absent: no limit. */
  readonly maxRateKiB?: number;
  readonly keepDays: number;
}

export function pitrConfig(values: Values): PitrConfig {
  const rate = values.number('pitr.maxRateKiB');
  return {
    enabled: values.is('pitr.enabled'),
    slot: values.text('pitr.slot'),
    intervalSeconds: values.number('pitr.intervalSeconds'),
    ...(rate > 0 && { maxRateKiB: Math.max(rate, 32) }),
    keepDays: values.number('pitr.keepDays'),
  };
}
