import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import type { Evidence } from './evidence.ts';
import type { Job, JobContext, JobOutcome } from './job.ts';

/** The job whose runs clear up behind the ledger, too. */
const CLEANUP = 'weekly-cleanup';

interface JobOf<O extends JobOutcome> extends Job {
  run(context: JobContext): Promise<O>;
}

/**
 * The same job, whose runs get their entry in the ledger once their report is stored. A run that cannot be entered is a failure,
 * whatever it has made; nothing of what it has made is touched. The head of the ledger goes to `targets`.
 */
export function withEvidence<O extends JobOutcome>(job: JobOf<O>, evidence: Evidence, targets: readonly Storage[]): JobOf<O> {
  const { name, source } = job;
  return {
    ...job,
    async run(context) {
      const { slot, partOf, log, clock } = context;
      const startedAt = clock.now();
      evidence.opens({ job: name, source }, slot);
      const base = { job: name, source, slot, ...(partOf && { due: partOf }), startedAt };
      let outcome: O;
      try {
        outcome = await job.run(context);
      } catch (thrown) {
        const { exitStatus, message } = toBackupError(thrown);
        const facts = { ...base, state: 'failed', result: 'failure', exitStatus, why: message } as const;
        await evidence.enter(facts).catch((error: unknown) => notEntered(error));
        throw thrown;
      }
      try {
        const { outcome: result, exitStatus, reason: why, report } = outcome;
        const head = await evidence.enter({
          ...{ ...base, state: stateOf(result), result, exitStatus },
          ...(why === undefined ? {} : { why }),
          ...(report === undefined ? {} : { report }),
        });
        const warnings = head ? await evidence.storeHead(head, targets, context) : [];
        if (job.name === CLEANUP && !context.signal.aborted) await evidence.thinHeads(targets, context);
        return { ...outcome, evidence: { ...(head && { entry: head.number }), warnings } };
      } catch (thrown) {
        const failure = notEntered(thrown);
        const failed = outcome.outcome === 'success' || outcome.outcome === 'incomplete';
        return {
          ...outcome,
          ...(failed && { outcome: 'failure', exitStatus: failure.exitStatus }),
          evidence: { error: errorReport(failure), warnings: [] },
        };
      }

      function notEntered(thrown: unknown) {
        const failure = toBackupError(thrown);
        log.error({ ...errorReport(failure) }, 'the run is not in the ledger; what it made is kept');
        return failure;
      }
    },
  };
}

function stateOf(result: JobOutcome['outcome']): 'done' | 'failed' | 'aborted' {
  if (result === 'aborted') return result;
  return result === 'success' || result === 'incomplete' ? 'done' : 'failed';
}
