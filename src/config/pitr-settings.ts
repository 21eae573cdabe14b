import { autoOr, cron, flag, integer, list, text } from './formats.ts';
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
    key: 'schedule.pitrDrill',
    format: cron,
    default: '0 6 1-7 * 0',
    env: ['PITR_DRILL_SCHEDULE'],
    about:
      'When the drill of point-in-time recovery runs, as a cron expression. All fields must match: the default is the first Sunday of a month.',
  },
  {
    key: 'pitr.enabled',
    format: autoOr(flag),
    default: 'auto',
    env: ['PITR_ENABLED'],
    about:
      'Whether WAL is streamed and physical backups are made ([point-in-time recovery](pitr.md)). Needs a role with REPLICATION. `auto`: where the server allows it and limits what a replication slot may keep (`max_slot_wal_keep_size`); where it is off, `health` says why.',
  },
  {
    key: 'pitr.slot',
    format: text('the name of a replication slot (lower-case letters, digits, underscores)', /^[a-z0-9_]{1,63}$/),
    default: 'db_backup',
    env: ['PITR_SLOT'],
    about: 'The physical replication slot on the source. It is made when it is missing; nobody else may use it.',
  },
  {
    key: 'pitr.synchronous',
    format: flag,
    default: false,
    env: ['PITR_SYNCHRONOUS'],
    about:
      "Whether the source's commits are meant to wait until they are durable here, so that `health` fails when they do not. The source decides: its `synchronous_standby_names` has to name the slot ([no commit without us](pitr.md#no-commit-without-us)).",
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
    key: 'pitr.incrementals',
    format: integer(0, 1000, 'backups'),
    default: 0,
    env: ['PITR_INCREMENTALS'],
    about:
      'How many incremental physical backups follow a full one. They need PostgreSQL 17 or later with `summarize_wal = on`; where they cannot be made, a full one is. 0: every one is full.',
  },
  {
    key: 'pitr.lagSeconds',
    format: integer(1, 86_400, 'seconds'),
    default: 60,
    env: ['PITR_LAG_SECONDS'],
    about:
      'How far the WAL here or on a target may be behind the source until `health` warns. It fails beyond `DRILL_RPO_MINUTES`, and when nothing has arrived for 5 minutes.',
  },
  {
    key: 'pitr.stallSeconds',
    format: integer(3, 86_400, 'seconds'),
    default: 60,
    env: ['PITR_STALL_SECONDS'],
    about: 'A connection that has brought no WAL for so long, though a heartbeat was committed, is given up and made anew.',
  },
  {
    key: 'pitr.slotWarnMiB',
    format: integer(16, 1_073_741_824, 'MiB'),
    default: 1024,
    env: ['PITR_SLOT_WARN_MIB'],
    about:
      'How much WAL the source may keep for the slot until `health` warns; half of its `max_slot_wal_keep_size` in any case.',
  },
  {
    key: 'pitr.spoolMiB',
    format: integer(0, 1_073_741_824, 'MiB'),
    default: 0,
    env: ['PITR_SPOOL_MIB'],
    about:
      'How much WAL may wait on this machine for targets that cannot be reached; beyond that none is received, and the source keeps it. 0: as much as the disk takes.',
  },
  {
    key: 'pitr.dropSlotMiB',
    format: integer(0, 1_073_741_824, 'MiB'),
    default: 0,
    env: ['PITR_DROP_SLOT_MIB'],
    about:
      'The last resort for the source: when it keeps more WAL than this for the slot, the slot is dropped, and there is a gap until the next physical backup. 0: never.',
  },
  {
    key: 'pitr.walWaitSeconds',
    format: integer(1, 86_400, 'seconds'),
    default: 600,
    env: ['PITR_WAL_WAIT_SECONDS'],
    about:
      'How long a physical backup waits for the WAL that it needs to be stored. One that lacks it then is a failure, and is not listed.',
  },
  {
    key: 'pitr.pushTargets',
    format: list('names of targets (local, s3)', ',', (name) => name === 'local' || name === 's3'),
    default: [],
    env: ['PITR_PUSH_TARGETS'],
    about:
      'For `wal-push`: the targets that must have a file before PostgreSQL is told that it is archived; the others are only tried. Empty: all.',
  },
  {
    key: 'pitr.keepDays',
    format: integer(1, 36_500, 'days'),
    default: 7,
    env: ['PITR_KEEP_DAYS'],
    about: 'How far back any instant stays recoverable. The two newest physical backups stay in any case, with their WAL.',
  },
  {
    key: 'pitr.keepMonths',
    format: integer(0, 1200, 'months'),
    default: 0,
    env: ['PITR_KEEP_MONTHS'],
    about:
      'Of how many calendar months (UTC) the last physical backup stays. Of what is older than `PITR_KEEP_DAYS` only the WAL stays that makes it consistent: it can be recovered to its own end, not to any instant.',
  },
];

export interface PitrConfig {
  /** `auto`: by itself, where that can do the source no harm. */
  readonly enabled: boolean | 'auto';
  readonly slot: string;
  readonly synchronous: boolean;
  readonly intervalSeconds: number;
  /** KiB a second; absent: no limit. */
  readonly maxRateKiB?: number;
  /** How many incremental physical backups follow a full one. */
  readonly incrementals: number;
  readonly lagMs: number;
  readonly stallMs: number;
  readonly slotWarnBytes: number;
  /** Absent: no limit but the disk's. */
  readonly spoolBytes?: number;
  /** Absent: never. */
  readonly dropSlotBytes?: number;
  readonly walWaitMs: number;
  /** Absent: all. */
  readonly pushTargets?: readonly string[];
  readonly keepDays: number;
  /** Calendar months of which the last physical backup stays. */
  readonly keepMonths: number;
}

const MIB = 2 ** 20;

export function pitrConfig(values: Values): PitrConfig {
  const rate = values.number('pitr.maxRateKiB');
  const spool = values.number('pitr.spoolMiB');
  const push = values.value('pitr.pushTargets') as readonly string[];
  const dropSlot = values.number('pitr.dropSlotMiB');
  return {
    enabled: values.value('pitr.enabled') as PitrConfig['enabled'],
    slot: values.text('pitr.slot'),
    synchronous: values.is('pitr.synchronous'),
    walWaitMs: values.number('pitr.walWaitSeconds') * 1000,
    intervalSeconds: values.number('pitr.intervalSeconds'),
    ...(rate > 0 && { maxRateKiB: Math.max(rate, 32) }),
    incrementals: values.number('pitr.incrementals'),
    lagMs: values.number('pitr.lagSeconds') * 1000,
    stallMs: values.number('pitr.stallSeconds') * 1000,
    slotWarnBytes: values.number('pitr.slotWarnMiB') * MIB,
    ...(spool > 0 && { spoolBytes: spool * MIB }),
    ...(dropSlot > 0 && { dropSlotBytes: dropSlot * MIB }),
    ...(push.length > 0 && { pushTargets: push }),
    keepDays: values.number('pitr.keepDays'),
    keepMonths: values.number('pitr.keepMonths'),
  };
}
