import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError, toBackupError } from '../errors.ts';
import { errorReport, type BackupReport, type TargetReport } from '../report/backup-report.ts';
import { lockSource, type SourceLock } from '../postgres/source-lock.ts';
import { writeReport } from '../report/report-file.ts';
import type { NightlyBackupParts } from './backup-parts.ts';
import { checkTargets } from './check-targets.ts';
import { chooseLabel, LOGICAL } from './choose-label.ts';
import { Hooks } from './hooks.ts';
import { expectedSize } from './expected-size.ts';
import { inspectSource } from './inspect-source.ts';
import { dueAt, type Job, type JobContext, type JobOutcome } from './job.ts';
import { makeDump, type DumpTask, type MadeDump } from './make-dump.ts';
import { otherServers } from './other-server.ts';
import { RunRecord } from './run-record.ts';
import { sweepLeftovers } from './sweep-leftovers.ts';
import { withStallWatch } from './stall-watch.ts';
import { openWorkArea } from './work-area.ts';

export interface NightlyBackupOutcome extends JobOutcome {
  /** What the report says. */
  readonly summary: BackupReport;
}

export interface NightlyBackup extends Job {
  run(context: JobContext): Promise<NightlyBackupOutcome>;
}

/** How often a dump begins that stalls each time. */
const STALLED_ATTEMPTS = 3;
/** Between two attempts of a dump. */
const LONGEST_PAUSE_MS = 10_000;

/**
 * Backs up one database: sweeps what killed runs left, dumps under one snapshot to all targets at once, writes the
 * manifest last and a report always. A target that fails does not end the run; it makes the outcome `incomplete`.
 */
export function createNightlyBackup(parts: NightlyBackupParts): NightlyBackup {
  return {
    name: 'nightly-backup',
    source: parts.source,
    async run(context) {
      const record = new RunRecord(context.clock, context.log, parts.watch?.phase?.bind(parts.watch));
      const hooks = parts.hooks && new Hooks(parts.hooks, context.log, (text) => record.warnings.push(text));
      let error: BackupError | undefined;
      try {
        await backUp(parts, context, record, hooks);
        error = incompleteness(record);
        if (error && context.signal.aborted) error = abortion(context.signal, error);
      } catch (thrown) {
        error = context.signal.aborted ? abortion(context.signal) : toBackupError(thrown);
      }
      // A run that another one keeps out has done nothing, and must undo nothing.
      if (error?.code !== 'LOCKED') await hooks?.after(reportOf(parts, context, record, error), context.signal);
      return await conclude(parts, context, record, error);
    },
  };
}

async function backUp(
  parts: NightlyBackupParts,
  context: JobContext,
  record: RunRecord,
  hooks: Hooks | undefined,
): Promise<void> {
  const { signal, log } = context;
  const checked = await record.phase(
    'check targets',
    () => checkTargets(parts.targets, signal),
    ({ usable, failed }) => ({
      usable: usable.map(({ name }) => name),
      failed: failed.map(({ target }) => target.name),
    }),
  );
  record.targets = checked.failed.map(({ target, error }) => failedTarget(target.name, error));
  for (const { target, error } of checked.failed)
    log.warn({ target: target.name, ...errorReport(error) }, 'a target cannot be used');
  // What may answer later is given its copy later; the others cannot be helped by waiting.
  const hopeless = checked.failed.filter(({ error }) => !error.retryable);
  const targets = parts.targets.filter((target) => !hopeless.some((each) => each.target === target));
  const spool = parts.spool && checked.usable.includes(parts.spool) ? parts.spool : undefined;

  const { usable } = checked;
  const warn = (what: string) => (target: string, error: BackupError) => {
    record.warnings.push(`${what} (${target}): ${error.message}`);
    log.warn({ target, ...errorReport(error) }, what);
  };
  let turn: SourceLock | undefined;
  const work = await openWorkArea(spool, parts.workFolder, parts.reportName);
  try {
    // Under the lock, so that those of two runs do not mix; and before anything is written.
    await hooks?.before(signal, (run) => record.phase('hooks', run));
    const sweeping = {
      ...{ source: parts.source, usable, locked: spool, alone: parts.reportName === undefined },
      ...{ complete: checked.failed.length === 0, reports: parts.reports },
      started: record.startedAt,
      onFailure: warn('what killed runs left was not removed, or not all of it'),
    };
    record.swept = await record.phase(
      'sweep leftovers',
      () => sweepLeftovers(sweeping, signal),
      (swept) => ({ removed: swept.length }),
    );
    const source = await record.phase(
      'inspect source',
      () => whileNotStalled(parts, context, (limited) => inspectSource(parts.connection, parts.findPrograms, limited)),
      (found) => ({
        server: found.server.version,
        standby: found.server.standby,
        pgDump: found.programs.version,
        databaseBytes: found.databaseBytes,
      }),
    );
    signal.throwIfAborted();
    turn = await lockSource(parts.connection, parts.source, signal);
    record.serverVersion = source.server.version;
    record.pgDumpVersion = source.programs.version;
    for (const warning of await otherServers(parts.source, source.server.systemIdentifier, usable, signal)) {
      record.warnings.push(warning);
      log.warn(warning);
    }
    const { codec } = parts.dump;
    const notListed = warn('a target could not be listed; the dump goes on');
    const expected = await expectedSize(parts.source, codec, source.databaseBytes, usable, signal, notListed);
    const label = await chooseLabel(LOGICAL, parts.source, record.startedAt, usable, signal, notListed);
    record.label = label;

    const onTargetFailure = (target: string, error: BackupError) => {
      log.warn({ target, ...errorReport(error) }, 'a target failed; the dump goes on, the copy is made afterwards');
    };
    const onRetry = (error: BackupError, attempt: number) => {
      record.warnings.push(`attempt ${attempt} of the dump was given up: ${error.message}`);
      log.warn({ attempt, ...errorReport(error) }, 'this attempt of the dump was given up; the next begins with a new snapshot');
    };
    const task = { label, source, expectedSize: expected, targets, spool, work, onTargetFailure };
    const made = await record.phase('dump', () => dumpWithAttempts(parts, context, task, onRetry), dumpFacts);
    try {
      record.warnings.push(...made.result.warnings);
      record.omitted = made.omitted;
      await record.phase(
        'store',
        () => made.store.storeLocally(),
        () => ({ target: spool?.name, bytes: made.result.file.bytes }),
      );
      record.dump = made.result;
      record.sideBytes = made.sideBytes;
      await record.phase(
        'copies',
        () => made.store.storeElsewhere(),
        () => ({
          stored: made.store.reports().flatMap(({ target, state }) => (state === 'stored' ? [target] : [])),
        }),
      );
    } finally {
      record.targets = [...made.store.reports(), ...hopeless.map(({ target, error }) => failedTarget(target.name, error))];
      record.dumpOutcome = made.outcome;
      await made.discard();
    }
  } finally {
    await turn?.release();
    await work.release();
  }
}

/** Again from the start, with a new write, when the source was changed under the dump: no byte of the attempt before stays. */
async function dumpWithAttempts(
  parts: NightlyBackupParts,
  context: JobContext,
  task: Omit<DumpTask, 'onMoved'>,
  onRetry: (error: BackupError, attempt: number) => void,
): Promise<MadeDump> {
  const { signal } = context;
  let stalls = 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await whileNotStalled(parts, context, (limited, onMoved) =>
        makeDump(parts, { ...context, signal: limited }, { ...task, onMoved }),
      );
    } catch (error) {
      const failure = toBackupError(error);
      const hasStalled = failure.code === 'STALLED';
      if (hasStalled) stalls += 1;
      const again = hasStalled ? stalls < STALLED_ATTEMPTS : failure.code === 'SOURCE_CHANGED';
      if (signal.aborted || !again || attempt >= parts.dump.attempts) throw failure;
      onRetry(failure, attempt);
      if (hasStalled) await parts.stall?.tell?.(failure, context);
      const pause = hasStalled ? (parts.stall?.pauseMs ?? 0) * 2 ** (stalls - 1) : Math.min(200 * 2 ** attempt, LONGEST_PAUSE_MS);
      await sleep(pause, undefined, { signal });
    }
  }
}

function whileNotStalled<T>(
  { connection, stall }: NightlyBackupParts,
  { clock, log, signal }: JobContext,
  work: (signal: AbortSignal, onMoved: () => void) => Promise<T>,
): Promise<T> {
  if (!stall) return work(signal, () => undefined);
  return withStallWatch({ connection, limitMs: stall.limitMs, clock, log, signal }, work);
}

function dumpFacts({ result, outcome }: MadeDump, seconds: number) {
  const { file, tables } = result;
  return {
    outcome,
    tables: tables.length,
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    rawBytes: file.rawBytes,
    fileBytes: file.bytes,
    rawMiBPerSecond: seconds === 0 ? undefined : Math.round((file.rawBytes / 2 ** 20 / seconds) * 10) / 10,
  };
}

/** Why a backup that exists is less than was asked for. */
function incompleteness(record: RunRecord): BackupError | undefined {
  const failed = record.targets.filter(({ state }) => state === 'failed');
  if (record.dumpOutcome === 'complete' && failed.length === 0) return undefined;
  const omitted = record.dumpOutcome === 'complete' ? [] : record.omitted.map(({ object, reason }) => `${object} (${reason})`);
  const lacking = failed.map(({ target, error }) => `${target} has no copy (${error?.message ?? 'not stored'})`);
  const reasons = [...(omitted.length > 0 ? [`left out: ${omitted.join('; ')}`] : []), ...lacking];
  return new BackupError('BACKUP_INCOMPLETE', `the backup ${record.label ?? ''} exists, but ${reasons.join('; ')}`, {
    hint:
      failed.find(({ error }) => error?.hint !== undefined)?.error?.hint ??
      'Give the role the rights it lacks, or name what may be missing in BACKUP_ALLOWED_WARNINGS.',
  });
}

/** `rest`: what the run had made when it was aborted. */
function abortion(signal: AbortSignal, rest?: BackupError): BackupError {
  const reason: unknown = signal.reason;
  const why = reason instanceof BackupError ? reason.message : 'the run was aborted';
  return new BackupError('ABORTED', rest ? `${why}; ${rest.message}` : `${why}; nothing of this backup was kept`, {
    hint: rest?.hint ?? 'The next run starts afresh: `backup-manager create-backup`, or the next time of the schedule.',
    cause: reason,
  });
}

function failedTarget(target: string, error: BackupError): TargetReport {
  return { target, state: 'failed', repaired: false, error: errorReport(error) };
}

/** Report and last log line. A report that cannot be stored is a failure, too: without it nobody knows of the run. */
async function conclude(
  parts: NightlyBackupParts,
  context: JobContext,
  record: RunRecord,
  error: BackupError | undefined,
): Promise<NightlyBackupOutcome> {
  const { log } = context;
  let summary = reportOf(parts, context, record, error);
  let report: string | undefined;
  try {
    report = await writeReport('backup', { source: parts.reportName, started: record.startedAt }, summary, parts.reports);
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    if (error === undefined) summary = reportOf(parts, context, record, failure);
  }
  const { outcome, exitStatus, label, durationSeconds } = summary;
  const level = outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error';
  log[level]({ outcome, label, seconds: durationSeconds, report, error: summary.error }, `backup ended: ${outcome}`);
  const reason = summary.error?.message;
  const lacking = summary.targets.flatMap(({ target, state }) => (state === 'failed' ? [target] : []));
  return {
    ...{ outcome, exitStatus, summary },
    ...(outcome === 'incomplete' && record.dumpOutcome === 'complete' && lacking.length > 0 && { lacking }),
    ...(report !== undefined && { report }),
    ...(label !== undefined && { label }),
    ...(summary.error && { error: summary.error }),
    ...(reason !== undefined && { reason }),
  };
}

function reportOf(
  { source, version, redact }: NightlyBackupParts,
  context: JobContext,
  record: RunRecord,
  error: BackupError | undefined,
) {
  return record.report(
    source,
    version,
    { outcome: outcomeOf(error), exitStatus: error?.exitStatus ?? 0, slot: dueAt(context), error },
    redact,
  );
}

function outcomeOf(error: BackupError | undefined): BackupReport['outcome'] {
  if (error === undefined) return 'success';
  if (error.code === 'ABORTED') return 'aborted';
  return error.code === 'BACKUP_INCOMPLETE' ? 'incomplete' : 'failure';
}
