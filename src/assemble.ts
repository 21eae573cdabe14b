import { readFileSync } from 'node:fs';
import { isAbsolute, relative } from 'node:path';
import { assembleAlerts, type Alerting, type AlertingTools } from './assemble/alerts.ts';
import { cleanupParts } from './assemble/cleanup-parts.ts';
import { drillParts } from './assemble/drill-parts.ts';
import { healthParts, statusParts } from './assemble/health-parts.ts';
import { baseLimitMs } from './assemble/objectives.ts';
import { baseBackupParts, pitrDrillParts, recoverParts, walHealthParts, walStreamParts } from './assemble/pitr-parts.ts';
import { sharedCauses } from './assemble/shared-causes.ts';
import { createTargets, type Decorate, type TargetsOfSource } from './assemble/targets.ts';
import { systemClock } from './clock.ts';
import type { Config, Configs, SharedConfig } from './config.ts';
import { covers } from './config/choose-source.ts';
import { createBaseBackup, type BaseBackup } from './jobs/base-backup.ts';
import type { BackupWatch } from './jobs/backup-parts.ts';
import type { DrillRequest } from './jobs/drill-parts.ts';
import type { DumpAtParts } from './jobs/dump-at.ts';
import { Evidence } from './jobs/evidence.ts';
import { createHealthCheck, type HealthJob } from './jobs/health-check.ts';
import type { Job, JobContext, JobOutcome } from './jobs/job.ts';
import { createNightlyBackup, type NightlyBackup } from './jobs/nightly-backup.ts';
import { createPitrDrill, type PitrDrill, type PitrDrillRequest } from './jobs/pitr-drill.ts';
import type { RecoverParts } from './jobs/plan-recovery.ts';
import { createRestoreDrill, type RestoreDrill } from './jobs/restore-drill.ts';
import { createWeeklyCleanup, type WeeklyCleanup } from './jobs/weekly-cleanup.ts';
import type { WalHealthParts } from './jobs/look-at-wal.ts';
import { streamWal, type WalStreamContext } from './jobs/wal-stream.ts';
import { checksSeen, stallOf, withAlerts } from './jobs/with-alerts.ts';
import { withEvidence } from './jobs/with-evidence.ts';
import type { StatusParts } from './jobs/status-record.ts';
import { withStatus } from './jobs/with-status.ts';
import { withTimeLimit } from './jobs/with-time-limit.ts';
import type { Pinger } from './notify/ping.ts';
import type { ConnectionOptions } from './postgres/connection.ts';
import { findPrograms, type ClientPrograms } from './postgres/programs.ts';
import { readSigningKey } from './report/evidence-key.ts';
import { createLedger, recordRemovedReports } from './report/ledger.ts';
import { LOGS, type ReportPlace } from './report/report-file.ts';
import { createStatusBoard, type StatusBoard } from './report/status-file.ts';
import { slotsBetween } from './scheduler.ts';
import { createDiskStorage } from './storage/disk.ts';
import type { Storage } from './storage/storage.ts';

/** Before a dump that stalled is begun again. */
const STALL_PAUSE_MS = 60_000;

/** The parts of the program, made from its configuration. */
export interface Program {
  readonly config: SharedConfig;
  /** One for each configured source, in their order. */
  readonly sources: readonly Parts[];
  /** Version of this program. */
  readonly version: string;
  /** The ledger of all sources; undefined where it has no folder. Throws `CONFIG_INVALID` when its key is none. */
  evidence(): Evidence | undefined;
  readonly alerting: Alerting;
  /** The status file of all sources; undefined where it has no folder. */
  readonly board: StatusBoard | undefined;
  /** The parts of one more source, such as one database of a source that stands for all of its server. */
  of(config: Config): Parts;
  /** Closes idle connections of the targets. */
  close(): void;
}

/** What one source is worked on with. What sources share is the same object in all of them. */
export interface Parts {
  readonly config: Config;
  readonly connection: ConnectionOptions;
  /** The local target first, if there is one. */
  readonly targets: readonly Storage[];
  /** Client programs for a server; see `findPrograms`. */
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** Where reports are, the first that takes one. */
  readonly reports: readonly ReportPlace[];
  /** The same of drills. */
  readonly drillReports: readonly ReportPlace[];
  readonly version: string;
  /** That of the program. */
  evidence(): Evidence | undefined;
  /** Who is told of problems; every job below tells them. */
  readonly alerting: AlertingTools;
  /** The same job, with its entry in the ledger and its alerts, as those below have them. */
  told<O extends JobOutcome>(job: JobOf<O>): JobOf<O>;
  nightlyBackup(watch?: BackupWatch): NightlyBackup;
  restoreDrill(request?: DrillRequest, watch?: BackupWatch): RestoreDrill;
  weeklyCleanup(): WeeklyCleanup;
  healthCheck(): HealthJob;
  /** How the source stands, and where that is noted. */
  readonly status: StatusParts;
  baseBackup(watch?: BackupWatch): BaseBackup;
  pitrDrill(request?: PitrDrillRequest, watch?: BackupWatch): PitrDrill;
  /** Streams WAL into the archive until the signal; not where point-in-time recovery is switched off. */
  streamWal(context: WalStreamContext): Promise<void>;
  readonly recovery: Omit<RecoverParts, 'log'>;
  /** What a database is dumped with, wherever it is. */
  readonly dumping: DumpAtParts['dump'];
  /** What `health` looks at of point-in-time recovery. */
  readonly wal: WalHealthParts;
  /** Closes idle connections of the targets of all sources. */
  close(): void;
}

export interface AssembleOptions {
  /** More targets than the configuration has. */
  readonly moreTargets?: readonly Storage[];
  /** Puts something around a target: tests of what happens when one fails. */
  readonly decorate?: Decorate;
}

type JobOf<O extends JobOutcome> = Job & { run(context: JobContext): Promise<O> };

/** The parts for one source alone. */
export function assemble(config: Config, options: AssembleOptions = {}): Parts {
  return assembleAll({ shared: config, sources: [config] }, options).sources[0]!;
}

/** The only place that knows every adapter. Opens no connection and touches no file but our own package.json. */
export function assembleAll({ shared, sources }: Configs, options: AssembleOptions = {}): Program {
  const decorate: Decorate = options.decorate ?? ((target) => target);
  const version = ownVersion();
  const targets = createTargets(options.moreTargets ?? [], decorate);
  const ofEach = sources.map((config) => ({ config, own: targets.of(config) }));
  const folder = reportFolder(shared, decorate);
  const others = [...new Set(ofEach.flatMap(({ own }) => own.others))];
  let ledgerOf: Evidence | undefined;
  const evidence = () => (ledgerOf ??= createEvidence(shared, others));
  const alerting = assembleAlerts(
    shared.notify,
    sources.map(({ source, notify }) => ({ name: source.name, listed: source.listed, ping: notify.ping })),
    { places: [folder, ...others.map(inLogs)], redact: shared.redact },
  );
  const close = (): void => targets.close();
  const board = shared.paths.status === undefined ? undefined : createStatusBoard(shared.paths.status, version);
  const isConfigured = (name: string) => sources.some((config) => covers(config, name));
  const common = { version, decorate, folder, evidence, alerting, board, close, isConfigured, configured: sources };
  return {
    config: shared,
    sources: ofEach.map(({ config, own }) => assembleSource(config, own, common)),
    of: (config) => assembleSource(config, targets.of(config), common),
    ...{ version, evidence, alerting, board, close },
  };
}

interface Common extends Pick<Program, 'version' | 'evidence' | 'alerting' | 'board' | 'close'> {
  readonly decorate: Decorate;
  readonly folder: ReportPlace;
  /** Whether it is the name of a configured source. */
  readonly isConfigured: (name: string) => boolean;
  /** All sources. */
  readonly configured: readonly Config[];
}

function assembleSource(config: Config, own: TargetsOfSource, common: Common): Parts {
  const { version, decorate, evidence, alerting, board, close } = common;
  const { spool, others, targets, retries } = own;
  const { name, connection } = config.source;
  const reports = [common.folder, ...others.map(inLogs)];
  const programsFor = (serverMajor: number) => findPrograms({ serverMajor, ...config.programs });
  const { alerts, notifiers } = alerting;
  const named = config.source.listed ? { reportName: name } : {};
  const pingers = alerting.pingers.get(name);

  const pitr = { own, findPrograms: programsFor, reports, version, configured: common.configured };

  const wal = walHealthParts(config, pitr, baseLimitMs(config));

  const shared = sharedCauses(config, common.configured);
  const tools = { alerts, notifiers, pingers: pingers ?? new Map<string, Pinger>() };
  const alerted = <O extends JobOutcome>(job: JobOf<O>): JobOf<O> => {
    const pinger = tools.pingers.get(job.name);
    if (alerts.channels.length === 0 && !pinger) return job;
    return withAlerts(job, { source: name, alerts, ...(pinger && { pinger }), shared, redact: config.redact });
  };
  const recorded = <O extends JobOutcome>(job: JobOf<O>, heads = targets): JobOf<O> => {
    const ledger = evidence();
    return ledger ? withEvidence(job, ledger, heads) : job;
  };
  const told = <O extends JobOutcome>(job: JobOf<O>, heads = targets): JobOf<O> => alerted(recorded(job, heads));

  const drills = { targets, others, version, backupReports: reports, decorate };
  const drillReports = drillParts(config, drills).reports;
  const status = statusParts(config, { targets, drillReports, board, wal });
  const limited = <O extends JobOutcome>(job: JobOf<O>): JobOf<O> => {
    const limits: Readonly<Record<string, number>> = config.limits.jobMs;
    const limitMs = limits[job.name];
    return limitMs === undefined ? job : withTimeLimit(job, limitMs);
  };
  const around = <O extends JobOutcome>(job: JobOf<O>) => {
    const done = recorded(limited(job));
    return alerted(board ? withStatus(done, status) : done);
  };

  const dumping = {
    ...{ source: name, ...named },
    findPrograms: programsFor,
    workFolder: config.paths.work,
    dump: { ...config.dump, lockTimeoutMs: config.dump.lockTimeoutSeconds * 1000 },
    repair: retries,
    stallTimeoutMs: config.storage.stallTimeoutSeconds * 1000,
    ...{ redact: config.redact, version },
  };

  return {
    config,
    connection,
    targets,
    dumping,
    findPrograms: programsFor,
    ...{ reports, drillReports, version, evidence, status, told },
    alerting: tools,
    nightlyBackup: (watch) =>
      around(
        createNightlyBackup({
          ...dumping,
          connection,
          targets,
          ...(spool && { spool }),
          reports,
          stall: {
            ...{ limitMs: config.limits.stallMs, pauseMs: Math.min(config.limits.stallMs, STALL_PAUSE_MS) },
            tell: ({ message, hint }, context) => alerts.tell(stallOf(name, message, hint), context),
          },
          hooks: {
            ...{ directory: config.hooks.directory, timeoutMs: config.hooks.timeoutSeconds * 1000 },
            ...{ source: name, connection },
          },
          ...(watch && { watch }),
        }),
      ),
    restoreDrill: (request, watch) => around(createRestoreDrill(drillParts(config, { ...drills, watch }), request)),
    weeklyCleanup: () => {
      const ledger = evidence()?.ledger;
      const given = { targets, ...(spool && { spool }), reports, drillReports, repair: retries, version };
      const record = ledger && {
        recordRemovedReports: (locations: readonly string[], why: string) =>
          recordRemovedReports(
            ledger,
            locations.map((location) => (isAbsolute(location) ? relative(ledger.folder, location) : location)),
            why,
          ),
      };
      const elsewhere = (other: string) => other !== name && common.isConfigured(other);
      const job = createWeeklyCleanup(cleanupParts(config, { ...given, ...named, ...record, elsewhere }));
      return { ...job, ...around(job) };
    },
    healthCheck: () => {
      const given = {
        connection,
        findPrograms: programsFor,
        reports,
        version,
        evidence: evidence(),
        alerting: tools,
        wal,
        ...named,
      };
      // Its entries are vouched for by the head that the next other job stores: one every hour would be too many.
      return told(createHealthCheck(healthParts(config, status, given)), []);
    },
    baseBackup: (watch) => alerted(recorded(createBaseBackup({ ...baseBackupParts(config, pitr), ...(watch && { watch }) }))),
    pitrDrill: (request, watch) =>
      told(limited(createPitrDrill(pitrDrillParts(config, pitr, drillParts(config, { ...drills, watch })), request))),
    streamWal: (context) =>
      streamWal(
        {
          ...walStreamParts(config, pitr),
          ...(alerts.channels.length > 0 && { tell: (checks, told) => alerts.tell(checksSeen(name, checks, shared), told) }),
        },
        context,
      ),
    recovery: recoverParts(config, pitr),
    wal,
    close,
  };
}

/** The folder of reports; other targets serve only so that a run never goes without a report. */
function reportFolder({ paths }: SharedConfig, decorate: Decorate): ReportPlace {
  // Auditors read them under accounts of their own.
  const storage = decorate(createDiskStorage({ name: 'reports', root: paths.reportRoot, readable: true }));
  return paths.reportRoot === paths.reports ? { storage, prefix: '' } : { storage, prefix: LOGS, underLock: true };
}

function inLogs(storage: Storage): ReportPlace {
  return { storage, prefix: LOGS };
}

/** Where it has a folder: a ledger in a bucket could not be appended to. */
function createEvidence({ evidence, paths, redact }: SharedConfig, others: readonly Storage[]): Evidence | undefined {
  const { folder, key } = evidence;
  if (folder === undefined) return undefined;
  const signing = key === undefined ? {} : { key: readSigningKey(key) };
  const ledger = createLedger({ folder, root: paths.reportRoot, clock: systemClock, ...signing });
  return new Evidence({ ledger, reports: others, slotsBetween, redact });
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
