import { exitStatusOf, PITR_PROOFS, statusOf } from '../drill/verdict.ts';
import type { ErrorReport } from '../report/backup-report.ts';
import { pitrDrillPage } from '../report/pitr-drill-page.ts';
import { PITR_DRILL_REPORT, PITR_DRILL_REPORT_VERSION, type PitrDrillReport } from '../report/pitr-drill-report.ts';
import { levelOf, reasonOf, storeDrill, violations } from './drill-ending.ts';
import { dueAt, type JobContext } from './job.ts';
import type { PitrDrillOutcome, PitrDrillParts, PitrDrillRecord, PitrKnowledge } from './pitr-drill.ts';

interface Ending {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  readonly durationSeconds: number;
  readonly known: PitrKnowledge;
  readonly record: PitrDrillRecord;
  readonly error?: ErrorReport;
}

/** JSON and page, and the last log line. */
export async function concludePitrDrill(parts: PitrDrillParts, context: JobContext, ending: Ending): Promise<PitrDrillOutcome> {
  const { log } = context;
  const summary = redacted(summaryOf(parts, context, ending), parts.redact);
  const stored = await storeDrill(
    summary,
    {
      ...{ kind: PITR_DRILL_REPORT, subject: { source: parts.reportName, started: ending.startedAt }, places: parts.reports },
      page: (json) => pitrDrillPage(summary, json),
    },
    log,
  );
  const { outcome, report } = stored;
  const { seed, achieved_rpo_seconds: rpoSeconds, recovery_duration_minutes: rtoMinutes, error } = summary;
  const facts = { outcome, seed, rpoSeconds, rtoMinutes, report, error };
  log[levelOf(outcome)](facts, `drill of point-in-time recovery ended: ${summary.status}`);
  const why = reasonOf(summary);
  const missed = violationsOf(summary);
  return {
    ...stored,
    summary,
    ...(summary.window && { label: summary.window.base }),
    ...(why && { error: why, reason: why.message }),
    ...(missed && { violations: missed }),
  };
}

function summaryOf(parts: PitrDrillParts, context: JobContext, ending: Ending): PitrDrillReport {
  const { startedAt, finishedAt, durationSeconds, known, record, error } = ending;
  const { rpoMinutes, rtoMinutes } = parts;
  const proven = statusOf(record.verdicts(), PITR_PROOFS);
  const status = error ? (error.code === 'ABORTED' || proven !== 'failure' ? 'inconclusive' : 'failure') : proven;
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
    ...{ phases: record.phases(), assertions: known.assertions },
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

/** Absent when they were not measured: what was told of them before still stands. */
function violationsOf(summary: PitrDrillReport): PitrDrillOutcome['violations'] {
  const { achieved_rpo_seconds: rpo, recovery_duration_minutes: rto, objectives } = summary;
  if (rpo === null || rto === null) return undefined;
  return violations(summary, {
    rpo: `the newest transaction that could be recovered was ${Math.ceil(rpo / 60)} minutes old, and ${objectives.rpoTargetMinutes}`,
    rto: `the recovery took ${Math.ceil(rto)} minutes, and ${objectives.rtoTargetMinutes}`,
  });
}
