import type { Config } from '../config.ts';
import type { WeeklyCleanupParts } from '../jobs/cleanup-parts.ts';
import { longestGap } from '../scheduler.ts';

/** How late a backup may be: the time that a run takes, and its attempts. */
const LATE_MS = 2 * 60 * 60_000;
/** Of a schedule that has no two runs: then backups are made by something else, or not at all. */
const DAY_MS = 24 * 60 * 60_000;
/** How long a clean-up that the schedule started waits for a backup: it is back only in a week. */
const LOCK_WAIT_MS = 6 * 60 * 60_000;

/** What the weekly clean-up works with. */
export function cleanupParts(
  config: Config,
  given: Pick<
    WeeklyCleanupParts,
    'targets' | 'spool' | 'reports' | 'drillReports' | 'repair' | 'version' | 'recordRemovedReports'
  >,
): WeeklyCleanupParts {
  const { retention, source, schedule } = config;
  const freshnessLimitMs =
    retention.freshnessMinutes === 'auto'
      ? (longestGap(schedule.backup, schedule.timeZone) ?? DAY_MS) + LATE_MS
      : retention.freshnessMinutes * 60_000;
  const rules = new Map(given.targets.map(({ name }) => [name, name === 's3' ? retention.s3 : retention.rules]));
  return {
    ...given,
    source: source.name,
    sources: [{ name: source.name, freshnessLimitMs, rules }],
    workFolder: config.paths.work,
    reportRules: { years: retention.reportYears, hourlyDays: retention.hourlyReportDays },
    scrub: { budgetBytes: retention.scrubBytes },
    stallTimeoutMs: config.storage.stallTimeoutSeconds * 1000,
    lockWaitMs: LOCK_WAIT_MS,
    redact: config.redact,
  };
}
