import type { RetentionRules } from '../retention/stored-backup.ts';
import type { ReportRules } from '../retention/reports.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { RetryPolicy } from '../storage/retrying.ts';
import type { Storage } from '../storage/storage.ts';

/** Everything that the weekly clean-up works with. */
export interface WeeklyCleanupParts {
  /** Configured name of the source whose schedule it follows. */
  readonly source: string;
  /** Its name in the names of reports; absent when it is the only source. */
  readonly reportName?: string;
  readonly sources: readonly CleanupSource[];
  /** Whether backups of a source are looked after by another clean-up; what belongs to none is reported. */
  readonly elsewhere: (source: string) => boolean;
  /** All of them: what is missing on one may be whole on another. */
  readonly targets: readonly Storage[];
  /** The local one among `targets`, when there is one: its lock keeps backups and clean-up apart. */
  readonly spool?: DiskStorage;
  /** For the lock when there is no local target. */
  readonly workFolder: string;
  readonly reports: readonly ReportPlace[];
  /** Where reports of drills are, on whatever target. */
  readonly drillReports: readonly ReportPlace[];
  readonly reportRules: ReportRules;
  /** Notes that reports are about to be removed, by their addresses. */
  readonly recordRemovedReports?: (locations: readonly string[], why: string) => Promise<void>;
  readonly scrub: {
    /** Bytes that a run re-reads on each target; 0: none. */
    readonly budgetBytes: number;
  };
  readonly repair: RetryPolicy;
  readonly stallTimeoutMs: number;
  /** How long a run that the schedule started waits for a backup to end. */
  readonly lockWaitMs: number;
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
  /** Version of this program. */
  readonly version: string;
}

export interface CleanupSource {
  readonly name: string;
  /** How old its newest backup may be, ms. */
  readonly freshnessLimitMs: number;
  /** By target. */
  readonly rules: ReadonlyMap<string, RetentionRules>;
}
