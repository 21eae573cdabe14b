import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { JobStatus } from '../report/source-status.ts';
import { dueAt, type Job, type JobContext, type JobOutcome } from './job.ts';
import { overview, type Overview } from './overview.ts';
import { recordStatus, type StatusParts } from './status-record.ts';

/** Targets that do not answer hold no run up for longer. */
const ASK_MS = 60_000;

interface JobOf<O extends JobOutcome> extends Job {
  run(context: JobContext): Promise<O>;
}

/** The same job; when a run has ended, the status file says so, and what the targets hold now. */
export function withStatus<O extends JobOutcome>(job: JobOf<O>, parts: StatusParts): JobOf<O> {
  return {
    ...job,
    async run(context) {
      const { clock, log, signal } = context;
      const due = dueAt(context);
      const base = { startedAt: clock.now().toISOString(), ...(due && { slot: due.toISOString() }) };
      const ended = async (last: NonNullable<JobStatus['last']>) => {
        // While everything is being stopped there is no time to ask.
        const seen = signal.aborted ? undefined : await lookAround(parts, context);
        await recordStatus(parts, { now: clock.now(), seen, ended: { job: job.name, last } }, log);
      };
      try {
        const outcome = await job.run(context);
        const { exitStatus, label, report, error } = outcome;
        await ended({
          ...{ outcome: outcome.outcome, ...base, exitStatus },
          ...(label !== undefined && { label }),
          ...(report !== undefined && { report }),
          ...(error && { message: parts.redact(error.message) }),
        });
        return outcome;
      } catch (thrown) {
        const { exitStatus, message } = toBackupError(thrown);
        await ended({ outcome: 'failure', ...base, exitStatus, message: parts.redact(message) });
        throw thrown;
      }
    },
  };
}

async function lookAround(parts: StatusParts, { clock, log, signal }: JobContext): Promise<Overview | undefined> {
  try {
    return await overview(parts, clock.now(), AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]));
  } catch (error) {
    log.warn({ ...errorReport(toBackupError(error)) }, 'the targets could not be asked for the status file');
    return undefined;
  }
}
