import { durationText } from '../quantities.ts';
import { ok, warn, type HealthCheck } from './check.ts';

export interface RecoveryPointInput {
  readonly targetMinutes: number;
  /** Longest time between two runs of the backup's schedule; `undefined` when it never runs twice. */
  readonly scheduleMinutes: number | undefined;
}

/** Whether the schedule can meet the recovery point at all. As things are configured no run can change it: never a failure. */
export function checkRecoveryPoint({ targetMinutes, scheduleMinutes }: RecoveryPointInput): HealthCheck {
  const subject = { check: 'recovery point' } as const;
  const target = durationText(targetMinutes * 60_000);
  const often = scheduleMinutes === undefined ? 'no schedule' : `a backup every ${durationText(scheduleMinutes * 60_000)}`;
  if (scheduleMinutes !== undefined && scheduleMinutes <= targetMinutes) return ok(subject, `${often} meets ${target}`);
  return warn(
    subject,
    `${often} cannot meet a recovery point of ${target}`,
    `Back up at least every ${target} (BACKUP_SCHEDULE), archive the write-ahead log, or agree on another target (DRILL_RPO_MINUTES).`,
  );
}
