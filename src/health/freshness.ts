import type { Backup } from '../catalog/backup.ts';
import { ageText } from '../quantities.ts';
import { fail, ok, type HealthCheck } from './check.ts';

/** Clocks may differ by so much before a backup counts as one from the future. */
const AHEAD_MS = 5 * 60_000;

export interface FreshnessInput {
  /** The newest good backup, on whatever target. */
  readonly newest: Pick<Backup, 'label' | 'started'> | undefined;
  /** How old it may be, ms. */
  readonly limitMs: number;
  readonly now: Date;
  /** Targets that could not be listed: there may be a newer one. */
  readonly unlisted: readonly string[];
}

/** Whether the newest good backup is as young as the schedule makes it. */
export function checkFreshness({ newest, limitMs, now, unlisted }: FreshnessInput): HealthCheck {
  const subject = { check: 'freshness' } as const;
  const unseen = unlisted.length === 0 ? '' : ` (not asked: ${unlisted.join(', ')})`;
  const hint = 'See why in `backup-manager logs backup`, and make one now: `backup-manager create-backup`.';
  if (!newest) return fail(subject, `there is no good backup${unseen}`, hint);
  const { label, started } = newest;
  if (started.getTime() > now.getTime() + AHEAD_MS) {
    return fail(
      subject,
      `the newest good backup, ${label}, is from the future: its age is not known`,
      'Find out which clock was wrong; a new backup does not count as the newest until that time has come.',
    );
  }
  const says = `the newest good backup, ${label}, is ${ageText(started, now)} old`;
  const limit = ageText(new Date(now.getTime() - limitMs), now);
  if (now.getTime() - started.getTime() <= limitMs) return ok(subject, `${says}; up to ${limit} is well`);
  return fail(subject, `${says}; the schedule makes one at least every ${limit}, delays included${unseen}`, hint);
}
