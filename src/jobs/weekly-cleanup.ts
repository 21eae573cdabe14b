import type { Listing } from '../catalog/catalog.ts';
import { toBackupError, BackupError } from '../errors.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import type { CleanupReport, ScrubbedCopy } from '../report/cleanup-report.ts';
import { writeReport } from '../report/report-file.ts';
import { CleanupRecord } from './cleanup-record.ts';
import { cleanReports } from './clean-reports.ts';
import type { WeeklyCleanupParts } from './cleanup-parts.ts';
import { dueAt, type Job, type JobContext, type JobOutcome } from './job.ts';
import { removeExpired } from './remove-expired.ts';
import { scrubTarget, type DamagedCopy } from './scrub.ts';
import { repairCopy } from './scrub-repair.ts';
import { ScrubState } from './scrub-state.ts';
import { listWhole, planOf } from './survey.ts';
import { sweepOld } from './sweep-old.ts';
import { waitForLock } from './wait-for-lock.ts';
import { openWorkArea } from './work-area.ts';

export interface CleanupOutcome extends JobOutcome {
  /** What the report says. */
  readonly summary: CleanupReport;
  /** Why it is not a success. */
  readonly error?: ErrorReport;
  readonly reason?: string;
}

export interface WeeklyCleanup extends Job {
  run(context: JobContext): Promise<CleanupOutcome>;
  /** What a run would do now, apart from the re-reading. Changes nothing, and stores no report. */
  preview(context: JobContext): Promise<CleanupOutcome>;
}

/**
 * Re-reads some of what is stored and mends what is damaged, then removes what the retention does not keep, sweeps what killed runs left,
 * and thins out reports. Whatever cannot be known stops the removal on every target. Writes a report always.
 */
export function createWeeklyCleanup(parts: WeeklyCleanupParts): WeeklyCleanup {
  return {
    name: 'weekly-cleanup',
    source: parts.source,
    async run(context) {
      const record = new CleanupRecord(context.clock, false);
      const error = await outcomeOf(() => cleanUp(parts, context, record), record, context.signal);
      return await conclude(parts, context, record, error);
    },
    async preview(context) {
      const record = new CleanupRecord(context.clock, true);
      const error = await outcomeOf(() => lookAhead(parts, context, record), record, context.signal);
      const summary = record.report(parts, undefined, error);
      return { outcome: summary.outcome, exitStatus: summary.exitStatus, summary };
    },
  };
}

async function lookAhead(parts: WeeklyCleanupParts, context: JobContext, record: CleanupRecord): Promise<void> {
  const { signal } = context;
  const listing = await listWhole(parts, signal);
  record.listing = listing;
  const state = await ScrubState.load(parts.reports, parts.reportName, signal);
  record.plan = await planOf(parts, listing, state, context, (text) => record.warnings.push(text));
  await tidyReports(parts, context, record, listing, true);
}

async function cleanUp(parts: WeeklyCleanupParts, context: JobContext, record: CleanupRecord): Promise<void> {
  const { signal, log } = context;
  const state = await ScrubState.load(parts.reports, parts.reportName, signal);
  let damaged: readonly DamagedCopy[];
  try {
    // Reading takes long and harms nobody: a backup may run beside it.
    damaged = await scrub(parts, context, record, state);
  } finally {
    await saveState(parts, context, record, state);
  }
  // A person is told at once that a backup is running; the schedule comes only once a week.
  const work = await waitForLock(
    () => openWorkArea(parts.spool, parts.workFolder, parts.reportName),
    dueAt(context) ? parts.lockWaitMs : 0,
    context,
  );
  try {
    let listing = await listWhole(parts, signal);
    if (damaged.length > 0) {
      await repair(parts, context, record, state, listing, damaged);
      listing = await listWhole(parts, signal);
    }
    record.listing = listing;
    const { plan } = Object.assign(record, { plan: await planOf(parts, listing, state, context, warn) });
    for (const { source, target, says } of plan.blocks) log.warn({ source, target, reason: says }, 'nothing is removed');
    // Oldest first: an interrupted run has done the most useful part.
    for (const decision of plan.decisions.filter(({ action }) => action === 'remove').toReversed()) {
      signal.throwIfAborted();
      record.removal(decision, await removeExpired(decision, parts.targets, context));
    }
    record.swept = await sweepOld(
      {
        sources: parts.sources.map(({ name }) => name),
        ...{ targets: parts.targets, reports: [...parts.reports, ...parts.drillReports], now: record.startedAt },
        onFailure: (target, error) =>
          warn(`what killed runs left on ${target} was not removed, or not all of it: ${error.message}`),
      },
      signal,
    );
    await tidyReports(parts, context, record, listing, false);
    state.keepOnly((target, key) => isHeld(listing, target, key));
    await saveState(parts, context, record, state);
  } finally {
    await work.release();
  }

  function warn(text: string): void {
    record.warnings.push(text);
    log.warn(text);
  }
}

async function scrub(
  parts: WeeklyCleanupParts,
  context: JobContext,
  record: CleanupRecord,
  state: ScrubState,
): Promise<readonly DamagedCopy[]> {
  const { budgetBytes } = parts.scrub;
  if (budgetBytes === 0) return [];
  const listing = await listWhole(parts, context.signal);
  const damaged: DamagedCopy[] = [];
  for (const target of parts.targets) {
    const scrubbed = await scrubTarget(target, listing, state, budgetBytes, context);
    record.scrub.push(scrubbed.report);
    damaged.push(...scrubbed.damaged);
    const { readBytes, checked } = scrubbed.report;
    context.log.info({ target: target.name, readBytes, copies: checked.length, damaged: scrubbed.damaged.length }, 'scrub done');
  }
  return damaged;
}

async function repair(
  parts: WeeklyCleanupParts,
  { signal, log, clock }: JobContext,
  record: CleanupRecord,
  state: ScrubState,
  listing: Listing,
  damaged: readonly DamagedCopy[],
): Promise<void> {
  const { targets, repair: retries, stallTimeoutMs } = parts;
  for (const each of damaged) {
    const { target, key } = each;
    const backup = listing.backups.find((found) => found.key === key);
    const there = backup?.copies.find((copy) => copy.target === target);
    if (!backup?.manifest || !there || there.state === 'missing' || there.state === 'expired') {
      amend(each, { verdict: 'unchecked', problems: ['it was removed while it was being read'] });
      continue;
    }
    try {
      const from = await repairCopy(each, backup, { targets, retries, stallTimeoutMs, signal });
      amend(each, { repairedFrom: from.join(', ') });
      state.note(target, key, { sha256: backup.manifest.file.sha256, verdict: 'passed', checkedAt: clock.now().toISOString() });
      log.warn({ target, label: backup.label, from }, 'a damaged backup was mended');
    } catch (thrown) {
      signal.throwIfAborted();
      const error = errorReport(toBackupError(thrown));
      amend(each, { error });
      log.error({ target, label: backup.label, ...error }, 'a damaged backup could not be mended');
    }
  }

  function amend({ target, key }: DamagedCopy, changes: Partial<ScrubbedCopy>): void {
    const location = targets.find(({ name }) => name === target)!.location(key);
    record.scrub = record.scrub.map((report) => ({
      ...report,
      checked: report.checked.map((copy) => (copy.location === location ? { ...copy, ...changes } : copy)),
    }));
  }
}

async function tidyReports(
  parts: WeeklyCleanupParts,
  { signal }: JobContext,
  record: CleanupRecord,
  listing: Listing,
  dryRun: boolean,
): Promise<void> {
  record.reports = await cleanReports(
    {
      ...{ places: [...parts.reports, ...parts.drillReports], rules: parts.reportRules, now: record.startedAt, dryRun },
      ...{
        stored: new Set(listing.backups.map(({ label }) => label)),
        elsewhere: parts.elsewhere,
        record: parts.recordRemovedReports,
      },
      onFailure: (where, error) => record.warnings.push(`old reports in ${where} were not removed: ${error.message}`),
    },
    signal,
  );
}

async function saveState(
  parts: WeeklyCleanupParts,
  { clock }: JobContext,
  record: CleanupRecord,
  state: ScrubState,
): Promise<void> {
  if (parts.scrub.budgetBytes === 0) return;
  const failure = await state.save(parts.reports, parts.reportName, clock.now());
  if (failure) record.warnings.push(`how far the re-reading has come could not be noted: ${failure.message}`);
}

function isHeld({ backups }: Listing, target: string, key: string): boolean {
  const copy = backups.find((backup) => backup.key === key)?.copies.find((each) => each.target === target);
  return copy !== undefined && copy.state !== 'missing';
}

async function outcomeOf(
  work: () => Promise<void>,
  record: CleanupRecord,
  signal: AbortSignal,
): Promise<BackupError | undefined> {
  try {
    await work();
    return record.shortfall();
  } catch (thrown) {
    if (!signal.aborted) return toBackupError(thrown);
    const reason: unknown = signal.reason;
    const why = reason instanceof BackupError ? reason.message : 'the run was aborted';
    return new BackupError('ABORTED', `${why}; what the clean-up had begun, the next one finishes`, { cause: reason });
  }
}

/** Report and last log line. A report that cannot be stored is a failure, too: without it nobody knows what was removed. */
async function conclude(
  parts: WeeklyCleanupParts,
  context: JobContext,
  record: CleanupRecord,
  error: BackupError | undefined,
): Promise<CleanupOutcome> {
  const { log } = context;
  let summary = record.report(parts, dueAt(context), error);
  let report: string | undefined;
  try {
    report = await writeReport('cleanup', { source: parts.reportName, started: record.startedAt }, summary, parts.reports);
  } catch (thrown) {
    const failure = toBackupError(thrown);
    log.error({ ...errorReport(failure), summary }, 'the report could not be stored');
    if (error === undefined) summary = record.report(parts, dueAt(context), failure);
  }
  const { outcome, exitStatus, removed, durationSeconds } = summary;
  const level = outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error';
  log[level]({ outcome, removed, seconds: durationSeconds, report, error: summary.error }, `clean-up ended: ${outcome}`);
  return {
    ...{ outcome, exitStatus, summary },
    ...(report === undefined ? {} : { report }),
    ...(summary.error && { error: summary.error, reason: summary.error.message }),
  };
}
