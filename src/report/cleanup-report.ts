import type { ErrorReport } from './backup-report.ts';

/** Raised when a reader of an older version could misunderstand a report. Fields may be added without raising it. */
export const CLEANUP_REPORT_VERSION = 1;

/** What one clean-up did: `logs/cleanup_report_<YYYYMMDD>_<HHMMSS>.json`, one for every run, however it ended. */
export interface CleanupReport {
  readonly reportVersion: number;
  readonly job: 'weekly-cleanup';
  /** `incomplete`: something that should have gone, or been mended, was not; nothing that has to stay is gone. */
  readonly outcome: 'success' | 'incomplete' | 'failure' | 'aborted';
  readonly exitStatus: number;
  /** Only what would be done; never of a stored report. */
  readonly dryRun: boolean;
  /** The time the run was due; absent when it was not started by the schedule. */
  readonly slot?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  readonly sources: readonly SourceReport[];
  /** One for each backup on each target: what goes and what stays, with all reasons. */
  readonly backups: readonly DecisionReport[];
  /** Why nothing of a source was removed from a target. */
  readonly blocks: readonly {
    readonly source: string;
    readonly target: string;
    readonly obstacle: string;
    readonly says: string;
  }[];
  /** Sources that have backups here and are not configured: nothing of theirs was removed. */
  readonly unconfigured: readonly string[];
  readonly removed: { readonly copies: number; readonly bytes: number };
  /** Incomplete uploads, temporary files and side files without a dump that were removed. */
  readonly swept: readonly string[];
  readonly reports: ReportsReport;
  readonly scrub: readonly ScrubReport[];
  readonly warnings: readonly string[];
  readonly error?: ErrorReport;
  readonly versions: { readonly dbBackup: string; readonly node: string };
}

export interface SourceReport {
  readonly source: string;
  /** Older than this, the newest backup stops the clean-up. */
  readonly freshnessLimitHours: number;
  readonly rules: readonly ({ readonly target: string } & RulesReport)[];
}

export interface RulesReport {
  readonly days: number;
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  readonly minimum: number;
}

export interface DecisionReport {
  readonly target: string;
  readonly label: string;
  readonly source: string;
  readonly location: string;
  /** Of the snapshot, by the manifest; absent when no manifest says it. */
  readonly time?: string;
  /** Of the dump file; absent when it is not there. */
  readonly bytes?: number;
  readonly action: 'keep' | 'remove';
  readonly reasons: readonly { readonly rule: string; readonly says: string }[];
  /**
   * Of what was to be removed. `locked`: the target keeps it until `lockedUntil`, or until a legal hold is lifted; `pinned`: somebody
   * pinned it meanwhile. Absent in a dry run, and when the run ended before.
   */
  readonly result?: 'removed' | 'locked' | 'pinned' | 'failed';
  readonly lockedUntil?: string;
  readonly legalHold?: true;
  /** The target keeps what was removed as old versions, for as long as its own rules say. */
  readonly oldVersionsStay?: true;
  readonly error?: ErrorReport;
}

export interface ReportsReport {
  readonly kept: number;
  readonly removed: readonly { readonly location: string; readonly rule: string; readonly says: string }[];
}

/** What was re-read on one target. */
export interface ScrubReport {
  readonly target: string;
  /** Bytes that might be read; at least one member of a dump is read whatever its size. */
  readonly budgetBytes: number;
  readonly readBytes: number;
  readonly checked: readonly ScrubbedCopy[];
  /** Backups of this target that no scrub has read to the end yet. */
  readonly neverChecked: number;
  /** When the one whose last check is longest ago was checked. */
  readonly oldestCheck?: string;
  readonly error?: ErrorReport;
}

export interface ScrubbedCopy {
  readonly label: string;
  readonly location: string;
  /** `partly`: sound as far as it was read; the next run goes on there. `unchecked`: it could not be read to the end. */
  readonly verdict: 'passed' | 'partly' | 'damaged' | 'unchecked';
  readonly readBytes: number;
  /** What differs, as sentences. */
  readonly problems: readonly string[];
  /** Of a damaged one: the target that it was mended from. */
  readonly repairedFrom?: string;
  /** Why it could not be checked, or not be mended. */
  readonly error?: ErrorReport;
}
