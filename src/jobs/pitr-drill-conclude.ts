import { exitStatusOf } from '../drill/verdict.ts';
import { toBackupError } from '../errors.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import { pitrDrillPage } from '../report/pitr-drill-page.ts';
import { PITR_DRILL_REPORT, PITR_DRILL_REPORT_VERSION, type PitrDrillReport } from '../report/pitr-drill-report.ts';
import { jsonFile, writeReportFiles } from '../report/report-file.ts';
import { dueAt, type JobContext } from './job.ts';
import type { PitrDrillOutcome, PitrDrillParts, PitrKnowledge } from './pitr-drill.ts';
import type { PitrDrillPhases } from './pitr-drill-phases.ts';

interface Ending {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly durationSeconds: number;
  readonly known: PitrKnowledge;
  readonly phases: PitrDrillPhases;
  readonly error?: ErrorReport;
}

/** JSON and page, and the last log line. A report that cannot be stored is a failure, too. */
export async function concludePitrDrill(parts: PitrDrillParts, context: JobContext, ending: Ending): Promise<PitrDrillOutcome> {
  const { log } = context;
  const summary = redacted(summaryOf(parts, context, ending), parts.redact);
  let { exitStatus } = summary;
  let files: string[] = [];
  try {
    files = await writeReportFiles(
      PITR_DRILL_REPORT,
      { source: parts.reportName, started: ending.startedAt },
      (stem) => [{ extension: '.html', text: pitrDrillPage(summary, `${stem}.json`) }, jsonFile(summary)],
      parts.reports,
    );
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    if (exitStatus === 0) exitStatus = failure.exitStatus;
  }
  const [page, report] = files;
  const { status, error } = summary;
  const outcome =
    error?.code === 'ABORTED'
      ? 'aborted'
      : status !== 'success'
        ? status
        : exitStatus === 0
          ? status
          : exitStatus === 3
            ? 'incomplete'
            : 'failure';
  const facts = {
    outcome,
    seed: summary.seed,
    rpoSeconds: summary.achieved_rpo_seconds,
    rtoMinutes: summary.recovery_duration_minutes,
    report,
    error,
  };
  log[outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error'](
    facts,
    `drill of point-in-time recovery ended: ${status}`,
  );
  const why = error ?? reasonOf(summary);
  const violations = violationsOf(summary);
  return {
    ...{ outcome, exitStatus, summary },
    ...(report !== undefined && { report }),
    ...(page !== undefined && { page }),
    ...(summary.window && { label: summary.window.base }),
    ...(why && { error: why, reason: why.message }),
    ...(violations && { violations }),
  };
}

function summaryOf(parts: PitrDrillParts, context: JobContext, ending: Ending): PitrDrillReport {
  const { startedAt, finishedAt, durationSeconds, known, phases, error } = ending;
  const { rpoMinutes, rtoMinutes } = parts;
  const status = error
    ? error.code === 'ABORTED' || phases.status() !== 'failure'
      ? 'inconclusive'
      : 'failure'
    : phases.status();
  const last = known.newest?.reached.lastTransaction;
  const rpo = last === undefined ? null : Math.max(0, (startedAt.getTime() - Date.parse(last)) / 1000);
  const rto = known.newest ? (known.newest.seconds.fetch + known.newest.seconds.replay) / 60 : null;
  const rpoMet = rpo !== null && rpo <= rpoMinutes * 60;
  const rtoMet = rto !== null && rto <= rtoMinutes;
  const slot = dueAt(context);
  return {
    ...{ drill_timestamp: startedAt.toISOString(), status, achieved_rpo_seconds: rpo },
    recovery_duration_minutes: rto === null ? null : Math.round(rto * 1000) / 1000,
    ...{ rpo_compliant: rpoMet, rto_compliant: rtoMet, reportVersion: PITR_DRILL_REPORT_VERSION, job: 'pitr-drill' },
    ...{
      exitStatus: error?.code === 'ABORTED' ? 130 : error?.code === 'LOCKED' ? 60 : exitStatusOf(status, rpoMet && rtoMet),
      source: parts.source,
    },
    ...(slot && { slot: slot.toISOString() }),
    ...{ finishedAt: finishedAt.toISOString(), durationSeconds, seed: known.seed },
    target: parts.recovery.targets.map(({ name }) => name).join(', '),
    ...(known.window && { window: known.window }),
    ...(known.instant && { instant: known.instant }),
    ...(known.newest && { newest: known.newest }),
    ...{ phases: phases.done, assertions: known.assertions },
    objectives: { rpoTargetMinutes: rpoMinutes, rtoTargetMinutes: rtoMinutes },
    ...(error && { error }),
    versions: {
      ...{ dbBackup: parts.version, node: process.versions.node },
      ...(known.serverVersion !== undefined && { server: known.serverVersion }),
    },
  };
}

function redacted(report: PitrDrillReport, redact: (text: string) => string): PitrDrillReport {
  return JSON.parse(
    JSON.stringify(report, (_key, value: unknown) => (typeof value === 'string' ? redact(value) : value)),
  ) as PitrDrillReport;
}

function reasonOf({ phases, status }: PitrDrillReport): ErrorReport | undefined {
  if (status === 'success') return undefined;
  const verdict = status === 'failure' ? 'failed' : 'inconclusive';
  const phase = phases.find((each) => each.verdict === verdict) ?? phases.find((each) => each.verdict === 'skipped');
  const [finding] = phase?.findings ?? [];
  if (!phase || !finding) return undefined;
  return {
    code: status === 'failure' ? 'DRILL_FAILED' : 'DRILL_INCONCLUSIVE',
    message: `the drill's phase ${phase.name} ${verdict === 'failed' ? 'failed' : 'could not be checked'}: ${finding.object}: ${finding.message}`,
    ...(finding.hint !== undefined && { hint: finding.hint }),
  };
}

/** Absent when they were not measured: what was told of them before still stands. */
function violationsOf(summary: PitrDrillReport): PitrDrillOutcome['violations'] {
  const { achieved_rpo_seconds: rpo, recovery_duration_minutes: rto, objectives } = summary;
  if (rpo === null || rto === null) return undefined;
  const { rpoTargetMinutes, rtoTargetMinutes } = objectives;
  return [
    ...(summary.rpo_compliant
      ? []
      : [
          {
            objective: 'rpo' as const,
            message: `the newest transaction that could be recovered was ${Math.ceil(rpo / 60)} minutes old, and ${rpoTargetMinutes} are allowed (DRILL_RPO_MINUTES)`,
          },
        ]),
    ...(summary.rto_compliant
      ? []
      : [
          {
            objective: 'rto' as const,
            message: `the recovery took ${Math.ceil(rto)} minutes, and ${rtoTargetMinutes} are allowed (DRILL_RTO_MINUTES)`,
          },
        ]),
  ];
}
