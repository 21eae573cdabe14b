import type { Clock } from '../clock.ts';
import type { HealthCheck } from '../health/check.ts';
import type { Log } from '../log.ts';
import type { ErrorReport } from '../report/backup-report.ts';

/** What a job is run with. */
export interface JobContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  /** The time the run was due, when the scheduler started it. */
  readonly slot?: Date;
  /** Of a run that is a part of another, such as one database of many: the slot of that. */
  readonly partOf?: Date;
  /** Told when the run begins to wait for its turn, and when that is over: it is not at work then. */
  readonly onWait?: (waits: boolean) => void;
}

/** When a run was due; `undefined` for one that somebody started by hand. */
export function dueAt({ slot, partOf }: JobContext): Date | undefined {
  return slot ?? partOf;
}

/**
 * How a run ended. `incomplete`: a backup exists, but something was left out of it or a target lacks its copy; a drill proved all, but
 * a target of recovery time or point was missed. `inconclusive`: something could not be checked, which is never a success.
 */
export interface JobOutcome {
  readonly outcome: 'success' | 'incomplete' | 'inconclusive' | 'failure' | 'aborted';
  /** 0 only for `success`. */
  readonly exitStatus: number;
  /** Path of the JSON report, when one could be written. */
  readonly report?: string;
  /** Why it is not a success, for alerts. */
  readonly error?: ErrorReport;
  /** Of the backup that was made or proven. */
  readonly label?: string;
  /** The objectives (recovery point, recovery time) that were found missed; absent when the run does not look at them. */
  readonly violations?: readonly { readonly objective: 'rpo' | 'rto'; readonly message: string }[];
  /** What a health check looked at: each is a problem, or none, by itself. */
  readonly checks?: readonly HealthCheck[];
  /** Why it is not a success, or what else is worth knowing, without secrets: for the ledger. */
  readonly reason?: string;
  /** Names of the targets that did not take a backup, when nothing else is wrong with it. */
  readonly lacking?: readonly string[];
  /** What failed were parts of it, which have told people themselves. */
  readonly toldByParts?: true;
  /** Of its entry in the ledger; absent where there is no ledger. */
  readonly evidence?: {
    readonly entry?: number;
    /** Why it has none. */
    readonly error?: ErrorReport;
    readonly warnings: readonly string[];
  };
}

/** Something the scheduler fires or the command line runs. A job reports its own failures; it throws only on a bug. */
export interface Job {
  readonly name: string;
  /** Name of the source that it is for; absent when it is for all of them. */
  readonly source?: string;
  run(context: JobContext): Promise<JobOutcome>;
}
