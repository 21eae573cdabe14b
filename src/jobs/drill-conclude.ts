import { DRILL_REPORT } from '../report/drill-history.ts';
import { drillPage } from '../report/drill-page.ts';
import type { DrillReport } from '../report/drill-report.ts';
import { levelOf, reasonOf, storeDrill, violations } from './drill-ending.ts';
import type { RestoreDrillParts } from './drill-parts.ts';
import type { JobContext, JobOutcome } from './job.ts';

export interface RestoreDrillOutcome extends JobOutcome {
  readonly summary: DrillReport;
  /** Path of the report as a page, when one could be written. */
  readonly page?: string;
}

/** JSON and page, and the last log line. */
export async function conclude(
  parts: RestoreDrillParts,
  { log }: JobContext,
  startedAt: Date,
  summary: DrillReport,
): Promise<RestoreDrillOutcome> {
  const stored = await storeDrill(
    summary,
    {
      ...{ kind: DRILL_REPORT, subject: { source: parts.reportName, started: startedAt }, places: parts.reports },
      page: (json) => drillPage(summary, json),
    },
    log,
  );
  const { status, backup, durationSeconds, rpo_compliant, rto_compliant } = summary;
  const { outcome, report } = stored;
  const facts = {
    outcome,
    label: backup?.label,
    seconds: durationSeconds,
    rpo_compliant,
    rto_compliant,
    report,
    error: summary.error,
  };
  log[levelOf(outcome)](facts, `drill ended: ${status}`);
  const why = reasonOf(summary);
  const missed = violationsOf(summary);
  return {
    ...stored,
    summary,
    ...(backup && { label: backup.label }),
    ...(why && { error: why, reason: why.message }),
    ...(missed && { violations: missed }),
  };
}

/** The objectives that were missed; undefined when they were not measured, and what was told of them before still stands. */
function violationsOf(summary: DrillReport): JobOutcome['violations'] {
  const { backup_age_minutes: age, restore_duration_minutes: duration, compliance } = summary;
  if (age === null || duration === null) return undefined;
  return violations(summary, {
    rpo: `the newest backup was ${Math.ceil(age)} minutes old, and ${compliance.rpoTargetMinutes}`,
    rto: `the restore took ${Math.ceil(duration)} minutes, and ${compliance.rtoTargetMinutes}`,
  });
}
