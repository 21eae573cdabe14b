import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Discovery } from './discover.ts';
import type { Job, JobContext, JobOutcome } from './job.ts';

export interface EachDatabaseParts {
  readonly name: string;
  /** Configured name of the source that stands for the databases. */
  readonly source: string;
  readonly discover: (context: JobContext) => Promise<Discovery>;
  /** The job of one database, which waits for its turn. */
  readonly jobOf: (database: string) => Job;
}

/** From bad to good. */
const ORDER = ['aborted', 'failure', 'inconclusive', 'incomplete', 'success'] as const;
/** How many databases a sentence names. */
const NAMED = 10;

/**
 * One job for every database of a server, as they are when it runs. Each has its own report, entry in the ledger and alerts; one that
 * fails stops no other. The whole is as good as the worst of them.
 */
export function createForEachDatabase(parts: EachDatabaseParts): Job {
  return {
    name: parts.name,
    source: parts.source,
    async run(context) {
      const { log, signal } = context;
      let found: Discovery;
      try {
        found = await parts.discover(context);
      } catch (thrown) {
        const error = toBackupError(signal.aborted ? signal.reason : thrown);
        log.error(errorReport(error), 'the databases of the server are not known; nothing was done');
        const outcome = signal.aborted ? 'aborted' : 'failure';
        return { outcome, exitStatus: error.exitStatus, error: errorReport(error), reason: error.message };
      }
      const { databases, gone, warnings } = found;
      for (const warning of warnings) log.warn(warning);
      if (gone.length > 0) log.warn({ gone }, 'databases that are no longer there; their backups are kept');
      log.info({ databases: databases.length }, 'databases found');
      const outcomes = await Promise.all(databases.map((database) => runOne(parts.jobOf(database), database, context)));
      return summarize(outcomes, gone);
    },
  };
}

async function runOne(
  job: Job,
  database: string,
  { slot, onWait: _, ...context }: JobContext,
): Promise<readonly [string, JobOutcome]> {
  const log = context.log.child({ database });
  try {
    return [database, await job.run({ ...context, log, ...(slot && { partOf: slot }) })];
  } catch (thrown) {
    const error = toBackupError(thrown);
    log.error({ err: error }, 'the job broke');
    return [database, { outcome: 'failure', exitStatus: error.exitStatus, error: errorReport(error) }];
  }
}

function summarize(outcomes: readonly (readonly [database: string, outcome: JobOutcome])[], gone: readonly string[]): JobOutcome {
  const bad = outcomes.filter(([, { outcome }]) => outcome !== 'success');
  const [worst] = bad.map(([, outcome]) => outcome).sort((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome));
  const missing = gone.length === 0 ? [] : [`no longer there, their backups are kept: ${listed(gone)}`];
  if (!worst) return { outcome: 'success', exitStatus: 0, ...(missing.length > 0 && { reason: missing.join('; ') }) };
  const names = bad.map(([database, { outcome }]) => `${database} (${outcome})`);
  const message = `${bad.length} of ${outcomes.length} databases did not end well: ${listed(names)}`;
  return {
    outcome: worst.outcome,
    exitStatus: worst.exitStatus,
    reason: [message, ...missing].join('; '),
    error: { code: worst.error?.code ?? 'INTERNAL', message, hint: 'The report and the alert of each of them say why.' },
    toldByParts: true,
  };
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return names.slice(0, NAMED).join(', ') + more;
}
