import type { CodecName } from '../codec/codec.ts';
import type { ErrorReport } from './backup-report.ts';

/** Raised when a reader of an older version could misunderstand a report. Fields may be added without raising it. */
export const DRILL_REPORT_VERSION = 1;

/**
 * What one restore drill proved: `restore-tests/monthly_drill_<YYYYMMDD>_<HHMMSS>.json`, one for every drill, however it ended. The
 * first six names are those that auditors have read since before there was a second one.
 */
export interface DrillReport {
  /** When the drill began. */
  readonly drill_timestamp: string;
  /** Between the snapshot of the backup and the beginning of the drill; null when it is not known. */
  readonly backup_age_minutes: number | null;
  /** Until the first query could be answered, with statistics in place; null when nothing was restored. */
  readonly restore_duration_minutes: number | null;
  /** False, too, when it could not be measured. */
  readonly rpo_compliant: boolean;
  readonly rto_compliant: boolean;
  /** Of restore and equality only, not of the targets. `inconclusive`: something could not be checked. */
  readonly status: 'success' | 'failure' | 'inconclusive';
  /** The longest time in the period in which a loss would have cost everything since the last good backup. */
  readonly worst_case: WorstCaseReport | null;

  readonly reportVersion: number;
  readonly job: 'restore-drill';
  /** 0 proven and in time, 1 failure, 2 inconclusive, 3 proven but a target is missed, 130 aborted. */
  readonly exitStatus: number;
  /** Configured name of the source. */
  readonly source: string;
  /** The time the drill was due; absent when it was not started by the schedule. */
  readonly slot?: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  /** Absent when none was drilled. */
  readonly backup?: DrilledBackup;
  /** In the order in which they ran; every phase is there. */
  readonly phases: readonly DrillPhase[];
  /** The server that it was restored into, in words; absent when there was none. */
  readonly restoredInto?: string;
  /** How the backup was restored, the way whose time counts first. */
  readonly restores: readonly RestoreReport[];
  /** Expected and found, for every table. */
  readonly tables: readonly TableProof[];
  /** The user's own checks, by the names of their files. */
  readonly assertions: readonly AssertionReport[];
  readonly compliance: ComplianceReport;
  /** Drills up to and with this one, the oldest first. */
  readonly trend: readonly TrendPoint[];
  readonly warnings: readonly string[];
  /** What earlier, killed drills had left behind and this one removed. */
  readonly swept: readonly string[];
  /** Why a drill ended before its end. */
  readonly error?: ErrorReport;
  readonly versions: { readonly dbBackup: string; readonly node: string; readonly server?: string };
}

export interface DrilledBackup {
  readonly label: string;
  /** Database that it is of. */
  readonly database: string;
  /** The target that it was read from, and why that one. */
  readonly target: string;
  readonly targetReason: string;
  readonly location: string;
  /** Of the snapshot. */
  readonly snapshot: { readonly time: string; readonly lsn: string };
  /** Bytes of the dump file, and of the SQL in it. */
  readonly bytes: number;
  readonly rawBytes: number;
  readonly codec: CodecName;
  readonly sha256: string;
  /** Of the server that was backed up. */
  readonly serverVersion: string;
}

export interface FindingReport {
  readonly object: string;
  readonly message: string;
  readonly hint?: string;
}

export interface DrillPhase {
  readonly name: string;
  readonly verdict: 'passed' | 'failed' | 'inconclusive' | 'skipped';
  readonly seconds: number;
  readonly findings: readonly FindingReport[];
}

export interface RestoreReport {
  /** `engine`: as `backup-manager restore` does it. `plain`: with gunzip and psql alone. */
  readonly way: 'engine' | 'plain';
  readonly seconds: number;
  readonly phases: readonly { readonly name: string; readonly seconds: number }[];
  /** What a person would type; for the plain way. */
  readonly command?: string;
}

export interface TableProof {
  readonly schema: string;
  readonly name: string;
  readonly expected: RowsProof;
  /** Absent when the table could not be read. */
  readonly found?: RowsProof;
  readonly equal: boolean;
}

export interface AssertionReport {
  readonly name: string;
  readonly verdict: 'passed' | 'failed' | 'inconclusive';
  readonly message?: string;
  /** What the query gave, for those that ask for it to be recorded: the first rows. */
  readonly columns?: readonly string[];
  readonly rows?: readonly (readonly (string | null)[])[];
  /** There were more rows. */
  readonly more?: boolean;
}

export interface RowsProof {
  readonly rows: number;
  readonly digest: string;
}

export interface WorstCaseReport {
  readonly minutes: number;
  /** The backup that would have been the newest. */
  readonly from: { readonly label: string; readonly time: string };
  /** The next good one; absent when it was the time of the drill. */
  readonly to?: { readonly label: string; readonly time: string };
}

export interface ComplianceReport {
  readonly rpoTargetMinutes: number;
  readonly rtoTargetMinutes: number;
  /** Since when backups are looked at. */
  readonly periodStart: string;
  /** Longest time between two runs of the schedule; absent when it never runs twice. */
  readonly scheduleMinutes?: number;
  readonly worstCaseCompliant: boolean;
  /** Targets that cannot be kept as things are, with what would help. */
  readonly hopeless: readonly { readonly target: 'rpo' | 'rto'; readonly message: string; readonly remedy: string }[];
  readonly notes: readonly string[];
  readonly forecast: {
    readonly says: string;
    readonly drills: number;
    readonly bytesPerDay?: number;
    readonly rtoMissedOn?: string;
  };
}

/** What a later drill needs to know of this one. */
export interface TrendPoint {
  readonly drill_timestamp: string;
  readonly status: DrillReport['status'];
  readonly backup_age_minutes: number | null;
  readonly restore_duration_minutes: number | null;
  readonly way?: RestoreReport['way'];
  readonly rawBytes?: number;
}
