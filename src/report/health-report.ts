import type { ErrorReport } from './backup-report.ts';

/** Raised when a reader of an older version could misunderstand a report. Fields may be added without raising it. */
export const HEALTH_REPORT_VERSION = 1;

/** What one look at a source and its backups found: `logs/health_report_<YYYYMMDD>_<HHMMSS>.json`, one every hour. */
export interface HealthReport {
  readonly reportVersion: number;
  readonly job: 'health-check';
  /** `success` unless a check failed; warnings are in `state`. */
  readonly outcome: 'success' | 'failure' | 'aborted';
  readonly exitStatus: number;
  /** Configured name of the source. */
  readonly source: string;
  /** The time the run was due; absent when it was not started by the schedule. */
  readonly slot?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  /** The worst of all checks. */
  readonly state: 'ok' | 'warn' | 'fail';
  readonly checks: readonly CheckReport[];
  readonly error?: ErrorReport;
  readonly versions: { readonly dbBackup: string; readonly node: string };
}

export interface CheckReport {
  readonly check: string;
  /** The target that was looked at; absent when there is only one thing of this kind. */
  readonly object?: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  readonly says: string;
  /** What to do; always there unless `ok`. */
  readonly hint?: string;
  /** It could not be looked at. Never together with `ok`. */
  readonly unchecked?: true;
}
