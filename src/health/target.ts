import type { BackupError } from '../errors.ts';
import { fail, ok, type HealthCheck } from './check.ts';

/** Whether a canary could be written to a target, read back and removed. */
export function checkTarget(target: string, location: string, error: BackupError | undefined): HealthCheck {
  const subject = { check: 'target', object: target } as const;
  if (!error) return ok(subject, `${location} takes and gives back what is stored`);
  return fail(subject, error.message, error.hint ?? 'Make it reachable; backups go to the other targets meanwhile.');
}
