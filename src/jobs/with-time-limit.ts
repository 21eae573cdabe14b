import { BackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Job, JobContext, JobOutcome } from './job.ts';

interface JobOf<O extends JobOutcome> extends Job {
  run(context: JobContext): Promise<O>;
}

/** The same job, aborted when it takes longer than `limitMs` in all. That is a failure. */
export function withTimeLimit<O extends JobOutcome>(job: JobOf<O>, limitMs: number): JobOf<O> {
  return {
    ...job,
    async run(context) {
      const limit = new AbortController();
      const error = new BackupError('TIME_LIMIT', `it took longer than its limit of ${Math.round(limitMs / 60_000)} minutes`, {
        hint: 'Find out from the log what took so long, or raise the limit (limits in docs/configuration.md).',
      });
      const timer = setTimeout(() => limit.abort(error), limitMs);
      try {
        const outcome = await job.run({ ...context, signal: AbortSignal.any([context.signal, limit.signal]) });
        if (outcome.outcome !== 'aborted' || context.signal.aborted || !limit.signal.aborted) return outcome;
        const { exitStatus, message: reason } = error;
        return { ...outcome, outcome: 'failure', exitStatus, error: errorReport(error), reason };
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
