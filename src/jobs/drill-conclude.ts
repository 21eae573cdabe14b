import { toBackupError } from '../errors.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import { DRILL_REPORT } from '../report/drill-history.ts';
import { drillPage } from '../report/drill-page.ts';
import type { DrillReport } from '../report/drill-report.ts';
import { jsonFile, writeReportFiles } from '../report/report-file.ts';
import type { RestoreDrillParts } from './drill-parts.ts';
import type { JobContext, JobOutcome } from './job.ts';

export interface RestoreDrillOutcome extends JobOutcome {
  readonly summary: DrillReport;
  /** Path of the report as a page, when one could be written. */
  readonly page?: string;
}

/** JSON and page, and the last log line. A report that cannot be stored is a failure, too: without it there is no evidence. */
export async function conclude(
  parts: RestoreDrillParts,
  { log }: JobContext,
  startedAt: Date,
  summary: DrillReport,
): Promise<RestoreDrillOutcome> {
  let files: string[] = [];
  let { exitStatus } = summary;
  try {
    // The page first: a JSON report is there only with its page.
    files = await writeReportFiles(
      DRILL_REPORT,
      { source: parts.reportName, started: startedAt },
      (stem) => [{ extension: '.html', text: drillPage(summary, `${stem}.json`) }, jsonFile(summary)],
      parts.reports,
    );
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    if (exitStatus === 0) exitStatus = failure.exitStatus;
  }
  const [page, report] = files;
  const { status, backup, durationSeconds, rpo_compliant, rto_compliant } = summary;
  const outcome = outcomeOf(summary, exitStatus);
  const level = outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error';
  const facts = {
    outcome,
    label: backup?.label,
    seconds: durationSeconds,
    rpo_compliant,
    rto_compliant,
    report,
    error: summary.error,
  };
  log[level](facts, `drill ended: ${status}`);
  const why = reasonOf(summary);
  const violations = violationsOf(summary);
  return {
    ...{ outcome, exitStatus, summary },
    ...(report !== undefined && { report }),
    ...(page !== undefined && { page }),
    ...(backup && { label: backup.label }),
    ...(why && { error: why, reason: why.message }),
    ...(violations && { violations }),
  };
}

function outcomeOf({ status, error }: DrillReport, exitStatus: number): JobOutcome['outcome'] {
  if (error?.code === 'ABORTED') return 'aborted';
  if (status !== 'success') return status;
  return exitStatus === 0 ? 'success' : exitStatus === 3 ? 'incomplete' : 'failure';
}

/** Why a drill is not a success, in a sentence for whoever is told: what ended it, or the first finding of its first bad phase. */
function reasonOf({ error, phases, status }: DrillReport): ErrorReport | undefined {
  if (error || status === 'success') return error;
  const verdict = status === 'failure' ? 'failed' : 'inconclusive';
  const phase = phases.find((each) => each.verdict === verdict) ?? phases.find((each) => each.verdict === 'skipped');
  const finding = phase?.findings[0];
  if (!phase || !finding) return undefined;
  const { object, message, hint } = finding;
  return {
    code: status === 'failure' ? 'DRILL_FAILED' : 'DRILL_INCONCLUSIVE',
    message: `the drill's phase ${phase.name} ${verdict === 'failed' ? 'failed' : 'could not be checked'}: ${object}: ${message}`,
    ...(hint !== undefined && { hint }),
  };
}

/** The objectives that were missed; undefined when they were not measured, and what was told of them before still stands. */
function violationsOf(summary: DrillReport): JobOutcome['violations'] {
  const { backup_age_minutes: age, restore_duration_minutes: duration, compliance } = summary;
  if (age === null || duration === null) return undefined;
  const { rpoTargetMinutes, rtoTargetMinutes } = compliance;
  return [
    ...(summary.rpo_compliant
      ? []
      : [
          {
            objective: 'rpo' as const,
            message: `the newest backup was ${Math.ceil(age)} minutes old, and ${rpoTargetMinutes} are allowed (DRILL_RPO_MINUTES)`,
          },
        ]),
    ...(summary.rto_compliant
      ? []
      : [
          {
            objective: 'rto' as const,
            message: `the restore took ${Math.ceil(duration)} minutes, and ${rtoTargetMinutes} are allowed (DRILL_RTO_MINUTES)`,
          },
        ]),
  ];
}
