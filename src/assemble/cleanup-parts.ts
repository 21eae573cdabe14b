import type { Config } from '../config.ts';
import type { WeeklyCleanupParts } from '../jobs/cleanup-parts.ts';
import { freshnessLimitMs } from './objectives.ts';

/** How long a clean-up that the schedule started waits for a backup: it is back only in a week. */
const LOCK_WAIT_MS = 6 * 60 * 60_000;

/** What the weekly clean-up works with. */
export function cleanupParts(
  config: Config,
  given: Pick<
    WeeklyCleanupParts,
    'targets' | 'spool' | 'reports' | 'drillReports' | 'repair' | 'version' | 'recordRemovedReports' | 'reportName' | 'elsewhere'
  >,
): WeeklyCleanupParts {
  const { retention, source } = config;
  const rules = new Map(given.targets.map(({ name }) => [name, name === 's3' ? retention.s3 : retention.rules]));
  return {
    ...given,
    source: source.name,
    sources: [{ name: source.name, freshnessLimitMs: freshnessLimitMs(config), rules }],
    workFolder: config.paths.work,
    reportRules: { years: retention.reportYears, hourlyDays: retention.hourlyReportDays },
    scrub: { budgetBytes: retention.scrubBytes },
    stallTimeoutMs: config.storage.stallTimeoutSeconds * 1000,
    lockWaitMs: LOCK_WAIT_MS,
    redact: config.redact,
  };
}
