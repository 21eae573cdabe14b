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
  /** Of jobs that come one after the other; absent: all are begun, and wait for their turns. */
  readonly series?: Series;
}

/** Who comes first, and how long others follow. */
export interface Series {
  readonly order: (databases: readonly string[], context: JobContext) => Promise<readonly string[]>;
  /** None is begun after so long, but for the first; 0: all are. */
  readonly budgetMs: number;
}

type Ended = readonly [database: string, outcome: JobOutcome];

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
      const run = (database: string) => runOne(parts.jobOf(database), database, context);
      const outcomes = parts.series
        ? await inSeries(databases, parts.series, run, context)
        : await Promise.all(databases.map(run));
      const done = new Set(outcomes.map(([database]) => database));
      const left = databases.filter((database) => !done.has(database));
      if (left.length > 0) log.info({ left }, 'left for the next time, when they come first');
      const ended = summarize(outcomes, left, gone);
      if (!signal.aborted || left.length === 0) return ended;
      const { exitStatus } = toBackupError(signal.reason);
      return { ...ended, outcome: 'aborted', exitStatus };
    },
  };
}

async function inSeries(
  databases: readonly string[],
  { order, budgetMs }: Series,
  run: (database: string) => Promise<Ended>,
  context: JobContext,
): Promise<Ended[]> {
  const { clock, signal } = context;
  const outcomes: Ended[] = [];
  const began = clock.monotonic();
  for (const database of await order(databases, context)) {
    const isOver = budgetMs > 0 && clock.monotonic() - began >= budgetMs;
    if (outcomes.length > 0 && (isOver || signal.aborted)) break;
    outcomes.push(await run(database));
  }
  return outcomes;
}

async function runOne(job: Job, database: string, { slot, onWait: _, ...context }: JobContext): Promise<Ended> {
  const log = context.log.child({ database });
  try {
    // Nothing more of it: fifty reports are not kept until the last one is done.
    const { outcome, exitStatus, error } = await job.run({ ...context, log, ...(slot && { partOf: slot }) });
    return [database, { outcome, exitStatus, ...(error && { error }) }];
  } catch (thrown) {
    const error = toBackupError(thrown);
    log.error({ err: error }, 'the job broke');
    return [database, { outcome: 'failure', exitStatus: error.exitStatus, error: errorReport(error) }];
  }
}

function summarize(outcomes: readonly Ended[], left: readonly string[], gone: readonly string[]): JobOutcome {
  const bad = outcomes.filter(([, { outcome }]) => outcome !== 'success');
  const [worst] = bad.map(([, outcome]) => outcome).sort((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome));
  const missing = [
    ...(left.length === 0 ? [] : [`left for the next time: ${listed(left)}`]),
    ...(gone.length === 0 ? [] : [`no longer there, their backups are kept: ${listed(gone)}`]),
  ];
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
