import { randomUUID } from 'node:crypto';
import { BackupError, toBackupError } from '../errors.ts';
import type { HealthCheck } from '../health/check.ts';
import { withTail } from '../log.ts';
import type { Cause, Problem, ProblemKey, ProblemKind } from '../notify/alert.ts';
import type { Alerts, Seen } from '../notify/alerts.ts';
import { errorReport } from '../report/backup-report.ts';
import type { PingEvent, Pinger } from '../notify/ping.ts';
import { dueAt, type Job, type JobContext, type JobOutcome } from './job.ts';
import { causeOf, causeOfCheck, type SharedCauses } from './shared-cause.ts';

export interface AlertingParts {
  /** Configured name of the source. */
  readonly source: string;
  readonly alerts: Alerts;
  /** The dead man's switch of this job. */
  readonly pinger?: Pinger;
  /** What it depends on together with other sources. */
  readonly shared: SharedCauses;
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
}

interface AnyJob<O extends JobOutcome> extends Job {
  run(context: JobContext): Promise<O>;
}

/** What alerts name as the source of a job that is for all of them. */
const ALL = 'all sources';
/** Lines of the log that a ping of a failure carries. */
const TAIL_LINES = 50;
/** What a run that made a backup, or a drill that proved one, puts an end to. */
const OVER: readonly ProblemKind[] = ['failure', 'incomplete', 'inconclusive', 'missed', 'stall'];

/**
 * `job`, with people told how it goes: the dead man's switch at its start and end, an alert when it fails and when it is
 * well again. The job knows nothing of it, and its outcome is what it was: no delivery fails or holds up a run for longer
 * than its time-out. A run that was stopped is no failure: it is noted at the switch, which raises the alarm if no other
 * run follows.
 */
export function withAlerts<O extends JobOutcome>(job: AnyJob<O>, parts: AlertingParts): AnyJob<O> {
  const { alerts, pinger, redact } = parts;
  const tellEnd = async (context: JobContext, started: Promise<void>, run: string, outcome: JobOutcome, tail: string) => {
    // Its end must not be overtaken by its start.
    await started;
    const { exitStatus } = outcome;
    const event = pingEventOf(outcome, context);
    const body = event === 'success' ? '' : `${redact(errorText(outcome))}\n${redact(tail)}`;
    await Promise.all([
      pinger && alerts.ping(pinger, { event, run, body, exitStatus }, context),
      alerts.tell(seenIn(outcome, parts, job.name, context), context),
    ]);
  };
  return {
    ...job,
    async run(context) {
      const run = randomUUID();
      const { log, tail } = withTail(context.log, TAIL_LINES);
      const started = pinger ? alerts.ping(pinger, { event: 'start', run }, context) : Promise.resolve();
      try {
        const outcome = await job.run({ ...context, log });
        await tellEnd(context, started, run, outcome, tail());
        return outcome;
      } catch (thrown) {
        const error = toBackupError(thrown);
        await tellEnd(
          context,
          started,
          run,
          { outcome: 'failure', exitStatus: error.exitStatus, error: errorReport(error) },
          tail(),
        );
        throw thrown;
      }
    },
  };
}

/** Another run is at work: who started this one by hand is told on the spot, a schedule has missed a slot. */
const isLockedOut = ({ error }: JobOutcome): boolean => error?.code === 'LOCKED';

/** Why a run was stopped, if nobody wanted it. */
function stallIn({ reason }: AbortSignal): BackupError | undefined {
  return reason instanceof BackupError && reason.code === 'STALLED' ? reason : undefined;
}

function pingEventOf(outcome: JobOutcome, context: JobContext): PingEvent {
  if (outcome.outcome === 'success') return 'success';
  if (outcome.outcome === 'aborted') return stallIn(context.signal) ? 'failure' : 'log';
  if (isLockedOut(outcome) && dueAt(context) === undefined) return 'log';
  return 'failure';
}

/** Its own failure, or that of its entry in the ledger. */
function errorOf({ error, evidence }: JobOutcome): JobOutcome['error'] {
  return error ?? evidence?.error;
}

function errorText(outcome: JobOutcome): string {
  const { message, hint } = errorOf(outcome) ?? { message: 'see the log' };
  return `${outcome.outcome}: ${message}${hint === undefined ? '' : `\nWhat to do: ${hint}`}`;
}

/** A slot that no run was started for. `cause`: what kept the runs of others, too. */
export function lostSlot({ name: job, source = ALL }: Job, slot: Date, why: string, cause?: Cause): Seen {
  const summary = `the run of ${slot.toISOString()} was missed: ${why}`;
  return { raise: [{ source, job, kind: 'missed', summary, ...(cause && { cause }) }] };
}

/** A run has stalled, and begins again. */
export function stallOf(source: string, summary: string, hint: string | undefined): Seen {
  return { raise: [{ source, job: 'nightly-backup', kind: 'stall', summary, ...(hint !== undefined && { hint }) }] };
}

/** What was looked at between two health checks: told as that one would. */
export function checksSeen(source: string, checks: readonly HealthCheck[], shared: SharedCauses): Seen {
  const seen: { raise: Problem[]; clear: ProblemKey[] } = { raise: [], clear: [] };
  tellChecks(checks, { source, job: 'health-check' }, shared, seen);
  return seen;
}

/** What an outcome says of the problems that there can be. */
function seenIn(
  outcome: JobOutcome,
  { source, shared }: Pick<AlertingParts, 'source' | 'shared'>,
  job: string,
  context: JobContext,
): Seen {
  const slot = dueAt(context);
  const key = (kind: ProblemKind) => ({ source, job, kind });
  const seen: { raise: Problem[]; clear: ProblemKey[] } = { raise: [], clear: [] };
  const { report, label, violations } = outcome;
  const error = errorOf(outcome);
  const facts = {
    ...(label !== undefined && { label }),
    ...(report !== undefined && { report }),
    ...(error && { code: error.code }),
  };
  const raise = (kind: ProblemKind, summary: string, cause?: Cause) =>
    seen.raise.push({
      ...{ ...key(kind), summary, facts },
      ...(error?.hint !== undefined && { hint: error.hint }),
      ...(cause && { cause }),
    });
  const summary = error?.message ?? `it ended with ${outcome.outcome}`;

  if (outcome.checks && outcome.outcome !== 'aborted') {
    tellChecks(outcome.checks, { source, job }, shared, seen);
    // Whatever else made it fail is a failure of the job itself.
    if (outcome.evidence?.error === undefined && (outcome.error ?? { code: 'UNHEALTHY' }).code === 'UNHEALTHY') {
      seen.clear.push(...OVER.map(key));
      return seen;
    }
  }
  if (outcome.outcome === 'success' || outcome.toldByParts === true) seen.clear.push(...OVER.map(key));
  else if (outcome.outcome === 'aborted') {
    const stall = stallIn(context.signal);
    if (stall) raise('stall', stall.message);
  } else if (isLockedOut(outcome)) {
    if (slot !== undefined) raise('missed', `the run of ${slot.toISOString()} was missed: ${summary}`);
  } else {
    // A drill that proved all and missed an objective: that is told below, and is no second problem.
    if (outcome.outcome !== 'incomplete' || !violations?.length) raise(outcome.outcome, summary, causeOf(outcome, shared));
    // It is there, though not all of it.
    if (outcome.outcome !== 'failure') seen.clear.push(...OVER.filter((kind) => kind !== seen.raise.at(-1)?.kind).map(key));
  }
  if (violations) {
    for (const kind of ['rpo', 'rto'] as const) {
      const violation = violations.find(({ objective }) => objective === kind);
      if (violation) raise(kind, violation.message);
      else seen.clear.push(key(kind));
    }
  }
  return seen;
}

/** What could not be looked at is a problem, or nothing: it never ends one. */
function tellChecks(
  checks: readonly HealthCheck[],
  of: { readonly source: string; readonly job: string },
  shared: SharedCauses,
  seen: { readonly raise: Problem[]; readonly clear: ProblemKey[] },
): void {
  for (const each of checks) {
    const { check, object, verdict, says, hint, unchecked } = each;
    const key = { ...of, kind: 'unhealthy' as const, object: object === undefined ? check : `${check} ${object}` };
    if (verdict === 'fail') {
      const { cause, follows } = causeOfCheck(each, checks, shared);
      seen.raise.push({
        ...{ ...key, summary: `${key.object}: ${says}` },
        ...(hint !== undefined && { hint }),
        ...(cause && { cause }),
        ...(follows && { follows }),
      });
    } else if (!unchecked) seen.clear.push(key);
  }
}
