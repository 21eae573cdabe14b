import { readFileSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { Evidence } from './jobs/evidence.ts';
import { assembleAlerts, type AlertingTools } from './assemble/alerts.ts';
import { cleanupParts } from './assemble/cleanup-parts.ts';
import { drillParts } from './assemble/drill-parts.ts';
import type { DrillRequest } from './jobs/drill-parts.ts';
import { createNightlyBackup, type NightlyBackup } from './jobs/nightly-backup.ts';
import { createRestoreDrill, type RestoreDrill } from './jobs/restore-drill.ts';
import type { BackupWatch } from './jobs/backup-parts.ts';
import type { JobContext, JobOutcome } from './jobs/job.ts';
import { createWeeklyCleanup, type WeeklyCleanup } from './jobs/weekly-cleanup.ts';
import type { ConnectionOptions } from './postgres/connection.ts';
import { findPrograms, type ClientPrograms } from './postgres/programs.ts';
import { withAlerts } from './jobs/with-alerts.ts';
import { withEvidence } from './jobs/with-evidence.ts';
import { readSigningKey } from './report/evidence-key.ts';
import { createLedger, recordRemovedReports } from './report/ledger.ts';
import { LOGS, type ReportPlace } from './report/report-file.ts';
import { slotsBetween } from './scheduler.ts';
import { createDiskStorage } from './storage/disk.ts';
import { DEFAULT_RETRIES, withRetries, type RetryPolicy } from './storage/retrying.ts';
import { createS3Storage } from './storage/s3.ts';
import type { Storage } from './storage/storage.ts';

/** The parts of the program, made from its configuration. */
export interface Parts {
  readonly config: Config;
  readonly connection: ConnectionOptions;
  /** The local target first, if there is one. */
  readonly targets: readonly Storage[];
  /** Client programs for a server; see `findPrograms`. */
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** Where reports are, the first that takes one. */
  readonly reports: readonly ReportPlace[];
  /** Version of this program. */
  readonly version: string;
  /** The ledger; undefined where it has no folder. Throws `CONFIG_INVALID` when its key is none. */
  evidence(): Evidence | undefined;
  /** Who is told of problems; every job below tells them. */
  readonly alerting: AlertingTools;
  nightlyBackup(watch?: BackupWatch): NightlyBackup;
  restoreDrill(request?: DrillRequest, watch?: BackupWatch): RestoreDrill;
  weeklyCleanup(): WeeklyCleanup;
  /** Closes idle connections of the targets. */
  close(): void;
}

export interface AssembleOptions {
  /** More targets than the configuration has. */
  readonly moreTargets?: readonly Storage[];
  /** Puts something around a target: tests of what happens when one fails. */
  readonly decorate?: <T extends Storage>(target: T) => T;
}

/** The only place that knows every adapter. Opens no connection and touches no file but our own package.json. */
export function assemble(config: Config, options: AssembleOptions = {}): Parts {
  const decorate = options.decorate ?? (<T extends Storage>(target: T): T => target);
  const retries: RetryPolicy = { ...DEFAULT_RETRIES, attempts: config.storage.attempts };
  const { local, s3 } = config.targets;
  const spool = local && decorate(createDiskStorage({ name: 'local', root: local.directory }));
  const bucket = s3 && createS3Storage({ name: 's3', ...s3 });
  const others = [...(bucket ? [withRetries(decorate(bucket), retries)] : []), ...(options.moreTargets ?? [])];
  const targets: readonly Storage[] = [...(spool ? [spool] : []), ...others];
  const { connection } = config.source;
  const version = ownVersion();
  const reports = reportPlaces(config, others, decorate);
  const programsFor = (serverMajor: number) => findPrograms({ serverMajor, ...config.programs });
  let ledgerOf: Evidence | undefined;
  const evidence = () => (ledgerOf ??= createEvidence(config, targets, others));
  const recorded = <O extends JobOutcome>(job: { name: string; run(context: JobContext): Promise<O> }) => {
    const ledger = evidence();
    return ledger ? withEvidence(job, ledger) : job;
  };

  const alerting = assembleAlerts(config.notify, { places: reports, redact: config.redact });
  const { alerts, pingers } = alerting;
  const alerted = <O extends JobOutcome>(job: { name: string; run(context: JobContext): Promise<O> }) => {
    const pinger = pingers.get(job.name);
    if (alerts.channels.length === 0 && !pinger) return job;
    return withAlerts(job, { source: config.source.name, alerts, ...(pinger && { pinger }), redact: config.redact });
  };

  return {
    config,
    connection,
    targets,
    findPrograms: programsFor,
    reports,
    version,
    evidence,
    alerting,
    nightlyBackup: (watch) =>
      alerted(
        recorded(
          createNightlyBackup({
            source: config.source.name,
            connection,
            findPrograms: programsFor,
            targets,
            ...(spool && { spool }),
            workFolder: config.paths.work,
            reports,
            dump: { ...config.dump, lockTimeoutMs: config.dump.lockTimeoutSeconds * 1000 },
            repair: retries,
            stallTimeoutMs: config.storage.stallTimeoutSeconds * 1000,
            redact: config.redact,
            version,
            hooks: {
              ...{ directory: config.hooks.directory, timeoutMs: config.hooks.timeoutSeconds * 1000 },
              ...{ source: config.source.name, connection },
            },
            ...(watch && { watch }),
          }),
        ),
      ),
    restoreDrill: (request, watch) => {
      const given = { targets, others, version, backupReports: reports, decorate, watch };
      return alerted(recorded(createRestoreDrill(drillParts(config, given), request)));
    },
    weeklyCleanup: () => {
      const ledger = evidence()?.ledger;
      const drillReports = drillParts(config, {
        targets,
        others,
        version,
        backupReports: reports,
        decorate,
      }).reports;
      const given = { targets, ...(spool && { spool }), reports, drillReports, repair: retries, version };
      const record = ledger && {
        recordRemovedReports: (locations: readonly string[], why: string) =>
          recordRemovedReports(
            ledger,
            locations.map((location) => (isAbsolute(location) ? relative(ledger.folder, location) : location)),
            why,
          ),
      };
      const job = createWeeklyCleanup(cleanupParts(config, { ...given, ...record }));
      return { ...job, ...alerted(recorded(job)) };
    },
    close: () => bucket?.close(),
  };
}

/** The configured folder first; the other targets only so that a run never goes without a report. */
function reportPlaces(
  { paths, targets }: Config,
  others: readonly Storage[],
  decorate: (target: Storage) => Storage,
): ReportPlace[] {
  const elsewhere = others.map((storage) => ({ storage, prefix: LOGS }));
  // Auditors read them under accounts of their own.
  const folder = (root: string) => decorate(createDiskStorage({ name: 'reports', root, readable: true }));
  // The default is below the backup directory, which must exist, while its `logs` is made when needed.
  if (targets.local && paths.reports === join(targets.local.directory, 'logs')) {
    return [{ storage: folder(targets.local.directory), prefix: LOGS, underLock: true }, ...elsewhere];
  }
  return [{ storage: folder(paths.reports), prefix: '' }, ...elsewhere];
}

/** Where it has a folder: a ledger in a bucket could not be appended to. */
function createEvidence(
  { evidence, targets: { local }, redact }: Config,
  targets: readonly Storage[],
  others: readonly Storage[],
): Evidence | undefined {
  const { folder, key } = evidence;
  if (folder === undefined) return undefined;
  const root = local && folder === join(local.directory, 'logs') ? local.directory : folder;
  const signing = key === undefined ? {} : { key: readSigningKey(key) };
  const ledger = createLedger({ folder, root, clock: systemClock, ...signing });
  return new Evidence({ ledger, targets, reports: others, slotsBetween, redact });
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
