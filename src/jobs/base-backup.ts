import { setTimeout as sleep } from 'node:timers/promises';
import { publishBase, takeBase, type StoredBase, type TakeBaseOptions } from '../base/take-base.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { IncrementalRefused } from '../postgres/base-backup-stream.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { identifyWalSource, requestSegmentSwitch, type WalSource } from '../postgres/replication.ts';
import { replicationObstacle } from '../postgres/replication-obstacle.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport, redacted } from '../report/backup-report.ts';
import { BASE_REPORT_VERSION, type BaseReport } from '../report/base-report.ts';
import { writeReport, type ReportPlace } from '../report/report-file.ts';
import type { PhysicalRules } from '../retention/plan-physical.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { RetryPolicy } from '../storage/retrying.ts';
import type { Storage } from '../storage/storage.ts';
import { readWal, recoverableFrom } from '../wal/read-wal.ts';
import { checkTargets } from './check-targets.ts';
import { chooseLabel, PHYSICAL } from './choose-label.ts';
import { chooseParent } from './choose-parent.ts';
import { expirePhysical } from './expire-physical.ts';
import type { Job, JobContext, JobOutcome } from './job.ts';

export interface BaseBackupParts {
  /** Configured name of the source. */
  readonly source: string;
  /** Its name in the names of reports; absent when it is the only source. */
  readonly reportName?: string;
  readonly connection: ConnectionOptions;
  readonly targets: readonly Storage[];
  readonly spool?: DiskStorage;
  readonly reports: readonly ReportPlace[];
  readonly codec: CodecName;
  readonly level: number;
  readonly workers: number;
  readonly maxRateKiB?: number;
  /** Whether WAL is archived: then it is not put into the backup, which counts only once the archive has what it needs. */
  readonly archived: () => Promise<boolean>;
  /** How long is waited for that WAL. */
  readonly walWaitMs: number;
  readonly rules: PhysicalRules;
  /** How many incremental backups follow a full one. */
  readonly incrementals: number;
  readonly repair: RetryPolicy;
  readonly stallTimeoutMs: number;
  readonly redact: (text: string) => string;
  readonly version: string;
  readonly watch?: { progress?(done: number, total: number): void; phase?(name: string): void };
}

export interface BaseBackupOutcome extends JobOutcome {
  readonly summary: BaseReport;
}

export interface BaseBackup extends Job {
  run(context: JobContext): Promise<BaseBackupOutcome>;
}

/** What a run has come to. */
interface Progress {
  stored?: StoredBase;
  /** Why it is a full one. */
  fullBecause?: string;
  targets: BaseReport['targets'];
  expired: BaseReport['expired'];
  readonly warnings: string[];
}

/** Takes a physical backup to all targets, waits for the WAL that it needs, and removes what the retention does not keep. */
export function createBaseBackup(parts: BaseBackupParts): BaseBackup {
  return {
    name: 'base-backup',
    source: parts.source,
    async run(context) {
      const { clock, log, signal, slot } = context;
      const began = clock.monotonic();
      const startedAt = clock.now();
      const made: Progress = { targets: [], expired: { bases: [], segments: 0 }, warnings: [] };
      let error: BackupError | undefined;
      try {
        await backUp(parts, context, startedAt, made);
        const lacking = made.targets.filter(({ state }) => state === 'failed').map(({ target }) => target);
        if (lacking.length > 0) error = incomplete(made.stored!.manifest.label, lacking);
      } catch (thrown) {
        error = signal.aborted ? aborted(signal) : toBackupError(thrown);
      }
      const manifest = made.stored?.manifest;
      const summary: BaseReport = {
        ...{ reportVersion: BASE_REPORT_VERSION, job: 'base-backup', outcome: outcomeOf(error) },
        ...{ exitStatus: error?.exitStatus ?? 0, source: parts.source },
        ...(slot && { slot: slot.toISOString() }),
        ...{ startedAt: startedAt.toISOString(), finishedAt: clock.now().toISOString() },
        durationSeconds: Math.round(clock.monotonic() - began) / 1000,
        ...(manifest && {
          label: manifest.label,
          rawBytes: manifest.archives.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
          bytes: manifest.archives.reduce((sum, { bytes }) => sum + bytes, 0),
          ...{ startLsn: manifest.startLsn, endLsn: manifest.endLsn },
          ...(manifest.parent && { parent: manifest.parent.label }),
          ...(!manifest.parent && made.fullBecause !== undefined && { fullBecause: made.fullBecause }),
        }),
        ...{ targets: made.targets, expired: made.expired, warnings: made.warnings.map(parts.redact) },
        ...(error && { error: redacted(errorReport(error), parts.redact) }),
        versions: { dbBackup: parts.version, node: process.versions.node },
      };
      let report: string | undefined;
      try {
        report = await writeReport('base', { source: parts.reportName, started: startedAt }, summary, parts.reports);
      } catch (thrown) {
        error ??= toBackupError(thrown);
        log.error({ ...errorReport(toBackupError(thrown)), summary }, 'the report could not be stored');
      }
      const { outcome, label, durationSeconds } = summary;
      const level = outcome === 'success' ? 'info' : outcome === 'incomplete' ? 'warn' : 'error';
      log[level]({ outcome, label, seconds: durationSeconds, report, error: summary.error }, `physical backup ended: ${outcome}`);
      return {
        ...{ summary, outcome: outcomeOf(error), exitStatus: error?.exitStatus ?? 0 },
        ...(report !== undefined && { report }),
        ...(label !== undefined && { label }),
        ...(error && { error: errorReport(error), reason: error.message }),
      };
    },
  };
}

async function backUp(parts: BaseBackupParts, context: JobContext, startedAt: Date, made: Progress): Promise<void> {
  const { connection, source, spool, watch } = parts;
  const { signal, clock, log } = context;
  const { usable, failed } = await checkTargets(parts.targets, signal);
  for (const { target, error } of failed) log.warn({ target: target.name, ...errorReport(error) }, 'a target cannot be used');
  made.targets = failed.map(({ target }) => ({ target: target.name, state: 'failed' as const }));
  const obstacle = await replicationObstacle(connection, undefined, { tries: true, signal });
  if (obstacle) throw obstacle;
  const origin = await identifyWalSource(connection, signal);
  const server = await withClient(connection, readServerFacts, { signal });
  const expectedSize = await withClient(
    connection,
    async (client) =>
      (
        await client.query<{ bytes: number }>(
          `SELECT pg_catalog.sum(pg_catalog.pg_tablespace_size(oid))::float8 AS bytes FROM pg_catalog.pg_tablespace`,
        )
      ).rows[0]!.bytes,
    { signal },
  ).catch(() => 2 ** 30);
  const archived = await parts.archived();
  watch?.phase?.('physical backup');
  const choice = await chooseParent({
    ...{ source, connection, targets: usable, incrementals: parts.incrementals, signal },
    server: { major: server.major, systemIdentifier: origin.systemIdentifier },
  });
  const notListed = (target: string, error: BackupError): void =>
    log.warn({ target, ...errorReport(error) }, 'a target cannot be listed');
  const label = await chooseLabel(PHYSICAL, source, startedAt, usable, signal, notListed);
  const options: TakeBaseOptions = {
    ...{ label, source, connection, targets: usable },
    server: { version: server.version, systemIdentifier: origin.systemIdentifier, segmentBytes: origin.segmentBytes },
    ...(spool && usable.includes(spool) && { spool }),
    compress: { codec: parts.codec, level: parts.level, workers: parts.workers },
    includeWal: !archived,
    ...(parts.maxRateKiB !== undefined && { maxRate: parts.maxRateKiB }),
    ...{ expectedSize, repair: parts.repair, stallTimeoutMs: parts.stallTimeoutMs, clock, signal },
    onTargetFailure: (target, error) => log.warn({ target, ...errorReport(error) }, 'a target failed'),
    ...(watch?.progress && { progress: watch.progress.bind(watch) }),
  };
  const inFull = async (why: string, expected: boolean): Promise<StoredBase> => {
    made.fullBecause = why;
    log[expected ? 'info' : 'warn']({ label: options.label, why }, 'the physical backup is a full one');
    return await takeBase(options);
  };
  const stored = await ('parent' in choice
    ? takeBase({ ...options, parent: choice.parent }).catch(async (error: unknown) => {
        if (!(error instanceof IncrementalRefused)) throw error;
        return await inFull(`the server cannot build on ${choice.parent.label}: ${error.message}`, false);
      })
    : inFull(choice.why, choice.expected));
  if (archived) {
    watch?.phase?.('wait for WAL');
    await waitForWal(parts, stored, origin, context);
  }
  await publishBase(stored, signal);
  made.stored = stored;
  made.targets = parts.targets.map((target) => ({
    target: target.name,
    state: stored.whole.includes(target) ? 'stored' : 'failed',
  }));
  try {
    const { remove } = await expirePhysical({ source, targets: parts.targets, rules: parts.rules }, context);
    made.expired = { bases: remove.bases, segments: remove.segments.length };
  } catch (error) {
    signal.throwIfAborted();
    made.warnings.push(`old physical backups and WAL were not removed, or not all: ${toBackupError(error).message}`);
  }
}

/** A backup whose WAL never arrives is of no use: it is not listed, and says so. */
async function waitForWal(
  { connection, source, targets, walWaitMs }: BaseBackupParts,
  { manifest }: StoredBase,
  { segmentBytes }: WalSource,
  { signal }: JobContext,
): Promise<void> {
  // Without traffic the segment would stay open for hours.
  await withClient(connection, async (client) => await requestSegmentSwitch(client), { signal });
  const giveUp = AbortSignal.timeout(walWaitMs);
  for (;;) {
    const { unusable } = await recoverableFrom([manifest], await readWal({ targets }, source, segmentBytes, signal), { signal });
    const [lacking] = unusable;
    if (!lacking) return;
    if (giveUp.aborted) {
      throw new BackupError('BACKUP_DAMAGED', `the WAL that the physical backup needs did not arrive: ${lacking.why}`, {
        hint: 'Is the stream of WAL at work? `backup-manager status` and the log of the daemon tell. The backup is not listed; the next run starts afresh.',
      });
    }
    await sleep(500, undefined, { signal });
  }
}

function incomplete(label: string, lacking: readonly string[]): BackupError {
  return new BackupError('BACKUP_INCOMPLETE', `the physical backup ${label} exists, but ${lacking.join(', ')} has no copy`, {
    hint: 'The log says why. Make the target usable; the next run stores on it again.',
  });
}

function aborted({ reason }: AbortSignal): BackupError {
  const why = reason instanceof BackupError ? reason.message : 'the run was aborted';
  return new BackupError('ABORTED', `${why}; the physical backup is not listed`, { cause: reason });
}

function outcomeOf(error: BackupError | undefined): BaseReport['outcome'] {
  if (error === undefined) return 'success';
  if (error.code === 'ABORTED') return 'aborted';
  return error.code === 'BACKUP_INCOMPLETE' ? 'incomplete' : 'failure';
}
