import { BackupError } from '../errors.ts';
import { ok, unchecked, warn, type HealthCheck } from './check.ts';

/** How the last run of a backup ended, as its report tells. */
export interface LastRun {
  readonly outcome: string;
  readonly startedAt: string;
  readonly message?: string;
  readonly hint?: string;
}

/** The last run. One that failed is told by its own alert; here it is a warning for as long as the newest backup is fresh. */
export function checkLastRun(last: LastRun | undefined | BackupError): HealthCheck {
  const subject = { check: 'last run' } as const;
  if (last instanceof BackupError) return unchecked(subject, 'warn', last);
  if (!last) return warn(subject, 'no run has left a report yet', 'Make a backup: `backup-manager create-backup`.');
  const { outcome, startedAt, message, hint } = last;
  const says = `${outcome}, ${startedAt}`;
  if (outcome === 'success') return ok(subject, says);
  return warn(
    subject,
    message === undefined ? says : `${says}: ${message}`,
    hint ?? 'See its report: `backup-manager logs backup`.',
  );
}
