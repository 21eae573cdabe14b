import { isGood } from '../catalog/backup.ts';
import type { AssertionsResult } from '../drill/assertions.ts';
import { judgeCompliance, type RecoveryPoint } from '../drill/compliance.ts';
import { forecastRestore } from '../drill/forecast.ts';
import { statusOf, exitStatusOf } from '../drill/verdict.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { errorReport, redacted, type ErrorReport } from '../report/backup-report.ts';
import {
  DRILL_REPORT_VERSION,
  type DrilledBackup,
  type DrillReport,
  type FindingReport,
  type TrendPoint,
} from '../report/drill-report.ts';
import { readBackupHistory } from '../report/drill-history.ts';
import type { RestoreDrillParts } from './drill-parts.ts';
import type { ChosenBackup, DrillFetch } from './drill-fetch.ts';
import type { DrillEquality } from './drill-proof.ts';
import type { DrillRecord } from './drill-record.ts';
import type { DrillRestore } from './drill-restore.ts';

/** What is looked at for the worst case: a month, since that is how often a drill runs. */
const PERIOD_MS = 31 * 86_400_000;

/** What a drill has come to know, as far as it got. */
export interface DrillFindings {
  readonly startedAt: Date;
  readonly durationSeconds: number;
  readonly finishedAt: Date;
  readonly slot: Date | undefined;
  readonly record: DrillRecord;
  readonly fetch: DrillFetch | undefined;
  readonly restore: DrillRestore | undefined;
  readonly equality: DrillEquality | undefined;
  readonly assertions: AssertionsResult | undefined;
  readonly serverVersion: string | undefined;
  readonly restoredInto: string | undefined;
  readonly trend: readonly TrendPoint[];
  readonly warnings: string[];
  readonly swept: readonly string[];
  readonly error: BackupError | undefined;
}

/** The report of a drill: what was measured, judged. */
export async function summarize(parts: RestoreDrillParts, found: DrillFindings): Promise<DrillReport> {
  const { startedAt, record, restore, fetch, error, trend } = found;
  const { rpoMinutes, rtoMinutes } = parts;
  const periodStart = new Date(startedAt.getTime() - PERIOD_MS);
  const chosen = fetch?.chosen;
  const drilled = chosen && { label: chosen.manifest.label, at: new Date(chosen.manifest.snapshot.time) };
  const first = restore?.reports[0];
  const restoreMinutes = first && (record.seconds('fetch') + record.seconds('preflight') + first.seconds) / 60;
  const scheduleMinutes = parts.scheduleMinutes();
  const compliance = judgeCompliance({
    targets: { rpoMinutes, rtoMinutes },
    now: startedAt,
    points: await recoveryPoints(parts, found, periodStart),
    periodStart,
    ...(drilled && { drilled }),
    ...(restoreMinutes !== undefined && { restoreMinutes }),
    ...(scheduleMinutes !== undefined && { scheduleMinutes }),
  });
  const { worstCase, backupAgeMinutes, rpoCompliant, rtoCompliant } = compliance;
  const status = statusOf(record.verdicts());
  const point: TrendPoint = {
    drill_timestamp: startedAt.toISOString(),
    status,
    backup_age_minutes: rounded(backupAgeMinutes),
    restore_duration_minutes: rounded(restoreMinutes),
    ...(first && { way: first.way }),
    ...(chosen && { rawBytes: chosen.manifest.file.rawBytes }),
  };
  const wholeTrend = [...trend, point];
  const redact = <T extends FindingReport | ErrorReport>(told: T): T => redacted(told, parts.redact);
  return {
    drill_timestamp: point.drill_timestamp,
    backup_age_minutes: point.backup_age_minutes,
    restore_duration_minutes: point.restore_duration_minutes,
    rpo_compliant: rpoCompliant,
    rto_compliant: rtoCompliant,
    status,
    worst_case: worstCase
      ? { minutes: rounded(worstCase.minutes), from: told(worstCase.from), ...(worstCase.to && { to: told(worstCase.to) }) }
      : null,
    reportVersion: DRILL_REPORT_VERSION,
    job: 'restore-drill',
    exitStatus: error?.code === 'ABORTED' ? error.exitStatus : exitStatusOf(status, rpoCompliant && rtoCompliant),
    source: parts.source,
    ...(found.slot && { slot: found.slot.toISOString() }),
    finishedAt: found.finishedAt.toISOString(),
    durationSeconds: Math.round(found.durationSeconds * 1000) / 1000,
    ...(chosen && { backup: drilledBackup(chosen) }),
    phases: record.phases().map((phase) => ({ ...phase, findings: phase.findings.map(redact) })),
    ...(found.restoredInto !== undefined && { restoredInto: found.restoredInto }),
    restores: restore?.reports ?? [],
    tables: found.equality?.tables ?? [],
    assertions: (found.assertions?.assertions ?? []).map(({ message, ...assertion }) => ({
      ...assertion,
      ...(message !== undefined && { message: parts.redact(message) }),
    })),
    compliance: {
      rpoTargetMinutes: rpoMinutes,
      rtoTargetMinutes: rtoMinutes,
      periodStart: periodStart.toISOString(),
      ...(scheduleMinutes !== undefined && { scheduleMinutes }),
      worstCaseCompliant: worstCase !== undefined && worstCase.minutes <= rpoMinutes,
      hopeless: compliance.hopeless,
      notes: compliance.notes,
      forecast: forecast(wholeTrend, rtoMinutes),
    },
    trend: wholeTrend,
    warnings: found.warnings.map(parts.redact),
    swept: found.swept,
    ...(error && { error: redact(errorReport(error)) }),
    versions: {
      dbBackup: parts.version,
      node: process.versions.node,
      ...(found.serverVersion !== undefined && { server: found.serverVersion }),
    },
  };
}

/** Good backups that there are, and those that their reports tell of although retention has removed them. */
async function recoveryPoints(
  { source, backupReports }: RestoreDrillParts,
  { fetch, warnings }: DrillFindings,
  periodStart: Date,
): Promise<RecoveryPoint[]> {
  const listed = (fetch?.backups ?? []).flatMap((backup): RecoveryPoint[] =>
    isGood(backup) && backup.manifest && backup.source === source
      ? [{ label: backup.label, at: new Date(backup.manifest.snapshot.time) }]
      : [],
  );
  const onFailure = (where: string, error: BackupError) =>
    warnings.push(`reports of backups could not all be read (${where}), the worst case may be too long: ${error.message}`);
  try {
    return [...listed, ...(await readBackupHistory(source, periodStart, backupReports, onFailure))];
  } catch (error) {
    onFailure('all', toBackupError(error));
    return listed;
  }
}

function forecast(trend: readonly TrendPoint[], rtoMinutes: number): DrillReport['compliance']['forecast'] {
  const last = trend.at(-1)?.way;
  // The two ways take different times: a line through both would be about neither.
  const measures = trend.flatMap(({ drill_timestamp, way, rawBytes, restore_duration_minutes: minutes }) =>
    way === last && rawBytes !== undefined && minutes !== null
      ? [{ at: new Date(drill_timestamp), bytes: rawBytes, restoreMinutes: minutes }]
      : [],
  );
  const { missedOn, ...rest } = forecastRestore(measures, rtoMinutes);
  return { ...rest, ...(missedOn && { rtoMissedOn: missedOn.toISOString() }) };
}

function drilledBackup({ manifest, target, targetReason, backup }: ChosenBackup): DrilledBackup {
  return {
    label: manifest.label,
    database: manifest.database.name,
    target: target.name,
    targetReason,
    location: target.location(backup.key),
    snapshot: manifest.snapshot,
    bytes: manifest.file.bytes,
    rawBytes: manifest.file.rawBytes,
    codec: manifest.codec.name,
    sha256: manifest.file.sha256,
    serverVersion: manifest.server.version,
  };
}

function told({ label, at }: RecoveryPoint): { label: string; time: string } {
  return { label, time: at.toISOString() };
}

function rounded(minutes: number): number;
function rounded(minutes: number | undefined): number | null;
function rounded(minutes: number | undefined): number | null {
  return minutes === undefined ? null : Math.round(minutes * 100) / 100;
}
