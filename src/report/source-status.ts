import type { CheckReport } from './health-report.ts';

/** Raised when a reader of an older version could misunderstand the file. Fields may be added without raising it. */
export const STATUS_VERSION = 1;
/** Its name, beside the reports. */
export const STATUS_FILE = 'status.json';
/** The daemon touches it every few seconds: see `healthcheck --live`. */
export const HEARTBEAT_FILE = 'heartbeat';

/** `status.json`: how things stand, for monitoring. Times are ISO 8601, UTC. */
export interface StatusFile {
  readonly statusVersion: number;
  readonly writtenAt: string;
  /** Of this program. */
  readonly version: string;
  /** By configured name. */
  readonly sources: Readonly<Record<string, SourceStatus>>;
}

export interface SourceStatus {
  /** Since when this source is known here. */
  readonly since: string;
  /** When this was last written. */
  readonly updatedAt: string;
  /** When the targets were last asked: what follows, up to `rto`, is as of then. Absent when they never were. */
  readonly askedAt?: string;
  readonly newestGood?: StoredStatus;
  /** Start of the newest good backup plus the age that it may have: later, this source is not healthy. */
  readonly freshUntil?: string;
  readonly freshnessLimitMinutes: number;
  readonly newestProven?: ProvenStatus;
  /** The oldest good backup's snapshot. */
  readonly recoverableSince?: string;
  readonly goodBackups: number;
  readonly rpo: {
    readonly targetMinutes: number;
    /** Longest time between two runs of the schedule. */
    readonly scheduleMinutes?: number;
    /** What a loss at `askedAt` would have cost: the age of the newest good backup's snapshot. */
    readonly minutes?: number;
  };
  readonly rto: {
    readonly targetMinutes: number;
    /** What the newest proven drill measured. */
    readonly minutes?: number;
  };
  /** Absent before the first look. */
  readonly health?: {
    readonly state: 'ok' | 'warn' | 'fail';
    readonly checkedAt: string;
    readonly checks: readonly CheckReport[];
  };
  /** Later, whoever reads this must not believe it: the daemon has not looked when it should have. Absent before the first look. */
  readonly staleAfter?: string;
  /** By name of the job. */
  readonly jobs: Readonly<Record<string, JobStatus>>;
}

export interface StoredStatus {
  readonly label: string;
  readonly startedAt: string;
  readonly snapshotAt?: string;
  readonly state: 'complete' | 'incomplete';
  readonly bytes?: number;
  /** Targets that hold it whole. */
  readonly targets: readonly string[];
}

export interface ProvenStatus {
  readonly label: string;
  readonly provenAt: string;
  readonly report: string;
}

export interface JobStatus {
  readonly last?: {
    readonly outcome: string;
    readonly startedAt: string;
    readonly exitStatus: number;
    readonly slot?: string;
    readonly label?: string;
    readonly report?: string;
    /** Why it was not a success. */
    readonly message?: string;
  };
  /** Absent when the schedule has no further run. */
  readonly next?: string;
}

/** `undefined` for what is no status file, or one of another version. */
export function parseStatus(text: string): StatusFile | undefined {
  try {
    const value = JSON.parse(text) as StatusFile | null;
    return value?.statusVersion === STATUS_VERSION && typeof value.sources === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
