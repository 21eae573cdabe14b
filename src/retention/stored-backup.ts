/**
 * How one target holds a backup. `sound`: complete, and with all its files; `usable`: it restores, but something is missing;
 * `unindexed`: so it does, but its manifest is not there; `unusable`: it is there, and does not restore; `expired`: its removal has begun.
 */
export type HeldState = 'sound' | 'usable' | 'unindexed' | 'unusable' | 'expired';

/** A backup as the retention sees it. */
export interface StoredBackup {
  /** Key of the dump file, equal on all targets. */
  readonly key: string;
  readonly label: string;
  readonly source: string;
  /** Time of the snapshot, ms since 1970, by a manifest that was read and fits the file. Without one a backup is never removed. */
  readonly time?: number;
  /** Why it has none. */
  readonly problem?: string;
  /** The time in its name, ms since 1970. Used for one thing only: whether what has no `time` may be the newest. */
  readonly named: number;
  /** Why somebody wants it kept; empty when no reason was given. */
  readonly pin?: string;
  /** A drill has restored it and found it equal. */
  readonly proven: boolean;
  /** By target; a target that has nothing of it is not among them. */
  readonly held: ReadonlyMap<string, HeldState>;
}

/** How long backups are kept on one target. A count of 0 switches a rule off. */
export interface RetentionRules {
  /** Every backup that is not older. */
  readonly days: number;
  /** The newest backup of each of so many days, ISO weeks, months, years (UTC) that have one. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
  /** So many good backups, however old. */
  readonly minimum: number;
}

/** A configured source. */
export interface SourceState {
  readonly name: string;
  /** How old its newest backup may be before something is wrong, ms. */
  readonly freshnessLimitMs: number;
  /** Why its last run does not count as good; absent when it was good, or there was none. */
  readonly lastRunProblem?: string;
  /** By target. */
  readonly rules: ReadonlyMap<string, RetentionRules>;
}
