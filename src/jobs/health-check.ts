import { BackupError, toBackupError } from '../errors.ts';
import { inOrder, worstOf, type HealthCheck } from '../health/check.ts';
import { errorReport, redacted } from '../report/backup-report.ts';
import { HEALTH_REPORT_VERSION, type HealthReport } from '../report/health-report.ts';
import { writeReport } from '../report/report-file.ts';
import { healthChecks } from './health-checks.ts';
import type { HealthCheckParts } from './health-parts.ts';
import { dueAt, type Job, type JobContext, type JobOutcome } from './job.ts';
import type { Overview } from './overview.ts';
import { recordStatus } from './status-record.ts';

export interface HealthOutcome extends JobOutcome {
  /** What the report says. */
  readonly summary: HealthReport;
  readonly checks: readonly HealthCheck[];
}

export interface HealthJob extends Job {
  run(context: JobContext): Promise<HealthOutcome>;
}

/**
 * Looks at everything that a source's backups need: server, programs, targets, age, proof, room. Changes nothing but the canary that
 * it writes to each target and removes. Writes a report and the status file always.
 */
export function createHealthCheck(parts: HealthCheckParts): HealthJob {
  return {
    name: 'health-check',
    source: parts.source,
    async run(context) {
      const { clock, signal } = context;
      const startedAt = clock.now();
      const began = clock.monotonic();
      let seen: Overview | undefined;
      let checks: readonly HealthCheck[] = [];
      let error: BackupError | undefined;
      try {
        const found = await healthChecks(parts, context);
        seen = found.seen;
        checks = inOrder(found.checks).map((check) => redactedCheck(check, parts.redact));
        error = unhealthy(checks);
      } catch (thrown) {
        error = signal.aborted
          ? new BackupError('ABORTED', 'the health check was stopped', { cause: thrown })
          : toBackupError(thrown);
      }
      const state = worstOf(checks);
      const due = dueAt(context);
      const draft = (failure: BackupError | undefined): HealthReport => ({
        reportVersion: HEALTH_REPORT_VERSION,
        job: 'health-check',
        outcome: failure === undefined ? 'success' : failure.code === 'ABORTED' ? 'aborted' : 'failure',
        exitStatus: failure?.exitStatus ?? 0,
        source: parts.source,
        ...(due && { slot: due.toISOString() }),
        startedAt: startedAt.toISOString(),
        finishedAt: clock.now().toISOString(),
        durationSeconds: Math.max(0, Math.round(clock.monotonic() - began) / 1000),
        state,
        checks,
        ...(failure && { error: redacted(errorReport(failure), parts.redact) }),
        versions: { dbBackup: parts.version, node: process.versions.node },
      });
      return await conclude(parts, context, draft, { startedAt, error, seen, checks });
    },
  };
}

interface Found {
  readonly startedAt: Date;
  readonly error: BackupError | undefined;
  readonly seen: Overview | undefined;
  readonly checks: readonly HealthCheck[];
}

/** Report, status file and last log line. */
async function conclude(
  parts: HealthCheckParts,
  context: JobContext,
  draft: (failure: BackupError | undefined) => HealthReport,
  { startedAt, error, seen, checks }: Found,
): Promise<HealthOutcome> {
  const { clock, log } = context;
  const due = dueAt(context);
  let summary = draft(error);
  let report: string | undefined;
  try {
    report = await writeReport('health', { source: parts.reportName, started: startedAt }, summary, parts.reports);
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    summary = draft(error ?? failure);
  }
  const { outcome, exitStatus, state } = summary;
  const last = {
    ...{ outcome, startedAt: startedAt.toISOString(), exitStatus },
    ...(due && { slot: due.toISOString() }),
    ...(report !== undefined && { report }),
    ...(summary.error && { message: summary.error.message }),
  };
  // A look that was stopped says nothing about the source.
  const health = checks.length === 0 ? {} : { health: { state, checks } };
  await recordStatus(parts, { now: clock.now(), seen, ...health, ended: { job: 'health-check', last } }, log);
  const failed = checks.filter(({ verdict }) => verdict === 'fail').map(nameOf);
  const warned = checks.filter(({ verdict }) => verdict === 'warn').map(nameOf);
  log[outcome === 'success' ? 'info' : 'error'](
    { outcome, state, failed, warned, report, error: summary.error },
    `health check ended: ${state}`,
  );
  return {
    ...{ outcome, exitStatus, summary, checks },
    ...(report !== undefined && { report }),
    ...(summary.error && { error: summary.error, reason: summary.error.message }),
  };
}

function unhealthy(checks: readonly HealthCheck[]): BackupError | undefined {
  const failed = checks.filter(({ verdict }) => verdict === 'fail');
  if (failed.length === 0) return undefined;
  const hint = failed.length === 1 ? failed[0]!.hint : 'The checks say what to do: `backup-manager health`.';
  return new BackupError('UNHEALTHY', failed.map((check) => `${nameOf(check)}: ${check.says}`).join('; '), {
    ...(hint !== undefined && { hint }),
  });
}

function nameOf({ check, object }: HealthCheck): string {
  return object === undefined ? check : `${check} ${object}`;
}

function redactedCheck(check: HealthCheck, redact: (text: string) => string): HealthCheck {
  return { ...check, says: redact(check.says), ...(check.hint !== undefined && { hint: redact(check.hint) }) };
}
