import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** What a job is run with. */
export interface JobContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  /** The time the run was due, when the scheduler started it. */
  readonly slot?: Date;
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
}

/** Something the scheduler fires or the command line runs. A job reports its own failures; it throws only on a bug. */
export interface Job {
  readonly name: string;
  run(context: JobContext): Promise<JobOutcome>;
}
