import type { CodecName } from '../codec/codec.ts';
import type { Omission } from '../catalog/manifest.ts';
import type { BackupError, ErrorCode } from '../errors.ts';

/** Raised when a reader of an older version could misunderstand a report. Fields may be added without raising it. */
export const REPORT_VERSION = 1;

/** What one run of the nightly backup did: `logs/backup_report_<YYYYMMDD>_<HHMMSS>.json`, one for every run, however it ended. */
export interface BackupReport {
  readonly reportVersion: number;
  readonly job: 'nightly-backup';
  readonly outcome: 'success' | 'incomplete' | 'failure' | 'aborted';
  /** What a command line run of this job ended with; 0 only for `success`. */
  readonly exitStatus: number;
  /** Configured name of the source. */
  readonly source: string;
  /** Absent when the run ended before a label was chosen. */
  readonly label?: string;
  /** The time the run was due; absent when it was not started by the schedule. */
  readonly slot?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  readonly phases: readonly PhaseReport[];
  /** Absent when no dump was completed. */
  readonly sizes?: SizesReport;
  readonly codec?: { readonly name: CodecName; readonly level: number | 'auto' };
  readonly snapshot?: { readonly time: string; readonly lsn: string };
  /** Rows over all `tables`. */
  readonly rows?: number;
  readonly tables: readonly TableReport[];
  readonly targets: readonly TargetReport[];
  /** What the backup does not hold although the database does. */
  readonly omitted: readonly Omission[];
  readonly warnings: readonly string[];
  /** What earlier, killed runs had left behind and this run removed. */
  readonly swept: readonly string[];
  readonly error?: ErrorReport;
  readonly versions: VersionsReport;
}

export interface PhaseReport {
  readonly name: string;
  readonly outcome: 'done' | 'failed';
  readonly seconds: number;
}

/** Bytes. */
export interface SizesReport {
  /** The SQL script, not compressed. */
  readonly raw: number;
  readonly file: number;
  readonly toc: number;
  /** Absent when roles and tablespaces could not be dumped. */
  readonly globals?: number;
}

export interface TableReport {
  readonly schema: string;
  readonly name: string;
  readonly rows: number;
  /** Bytes of COPY text. */
  readonly bytes: number;
}

export interface TargetReport {
  readonly target: string;
  /** `stored`: dump, side files and manifest are durable and checked there. */
  readonly state: 'stored' | 'failed';
  readonly location?: string;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly checkedBy?: string;
  /** The target failed while the dump ran and was given its copy afterwards. */
  readonly repaired: boolean;
  readonly error?: ErrorReport;
}

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

export interface VersionsReport {
  readonly dbBackup: string;
  readonly node: string;
  /** Absent when the server was not reached. */
  readonly server?: string;
  /** Absent when no client programs were found. */
  readonly pgDump?: string;
}

/** The three things a person needs from an error, without stack or cause. */
export function errorReport(error: BackupError): ErrorReport {
  return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}

/** The same with the secrets in its texts masked. */
export function redacted<T extends { readonly message: string; readonly hint?: string }>(
  told: T,
  redact: (text: string) => string,
): T {
  return { ...told, message: redact(told.message), ...(told.hint !== undefined && { hint: redact(told.hint) }) };
}
