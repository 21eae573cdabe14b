import { toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import type { DrillPhase } from '../report/drill-report.ts';
import { jsonFile, writeReportFiles, type ReportPlace, type ReportSubject } from '../report/report-file.ts';
import type { JobOutcome } from './job.ts';

/** What the reports of all kinds of drills say of how they ended. */
export interface DrillEnd {
  readonly status: 'success' | 'failure' | 'inconclusive';
  readonly exitStatus: number;
  readonly phases: readonly DrillPhase[];
  readonly error?: ErrorReport;
}

export interface StoredDrill {
  /** Paths, when they could be stored. */
  readonly page?: string;
  readonly report?: string;
  readonly exitStatus: number;
  readonly outcome: JobOutcome['outcome'];
}

/** Stores page and JSON. A report that cannot be stored is a failure, too: without it there is no evidence. */
export async function storeDrill(
  summary: DrillEnd,
  file: {
    /** How its name begins. */
    readonly kind: string;
    readonly subject: ReportSubject;
    readonly page: (json: string) => string;
    readonly places: readonly ReportPlace[];
  },
  log: Log,
): Promise<StoredDrill> {
  let { exitStatus } = summary;
  let files: string[] = [];
  try {
    // The page first: a JSON report is there only with its page.
    files = await writeReportFiles(
      file.kind,
      file.subject,
      (stem) => [{ extension: '.html', text: file.page(`${stem}.json`) }, jsonFile(summary)],
      file.places,
    );
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    if (exitStatus === 0) exitStatus = failure.exitStatus;
  }
  const [page, report] = files;
  return {
    ...(page !== undefined && { page }),
    ...(report !== undefined && { report }),
    ...{ exitStatus, outcome: outcomeOf(summary, exitStatus) },
  };
}

function outcomeOf({ status, error }: DrillEnd, exitStatus: number): JobOutcome['outcome'] {
  if (error?.code === 'ABORTED') return 'aborted';
  if (status !== 'success') return status;
  return exitStatus === 0 ? 'success' : exitStatus === 3 ? 'incomplete' : 'failure';
}

/** Of the log line that says how a drill ended. */
export function levelOf(outcome: JobOutcome['outcome']): 'info' | 'warn' | 'error' {
  return outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error';
}

/** Why a drill is not a success, in a sentence for whoever is told: what ended it, or the first finding of its first bad phase. */
export function reasonOf({ error, phases, status }: DrillEnd): ErrorReport | undefined {
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

/** The objectives that were missed, in words. */
export function violations(
  { rpo_compliant: rpoMet, rto_compliant: rtoMet }: { readonly rpo_compliant: boolean; readonly rto_compliant: boolean },
  says: { readonly rpo: string; readonly rto: string },
): NonNullable<JobOutcome['violations']> {
  return [
    ...(rpoMet ? [] : [{ objective: 'rpo' as const, message: `${says.rpo} are allowed (DRILL_RPO_MINUTES)` }]),
    ...(rtoMet ? [] : [{ objective: 'rto' as const, message: `${says.rto} are allowed (DRILL_RTO_MINUTES)` }]),
  ];
}
