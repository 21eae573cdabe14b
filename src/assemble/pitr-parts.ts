import type { Config } from '../config.ts';
import type { BaseBackupParts } from '../jobs/base-backup.ts';
import type { RestoreDrillParts } from '../jobs/drill-parts.ts';
import type { PitrDrillParts } from '../jobs/pitr-drill.ts';
import type { WalHealthParts } from '../jobs/look-at-wal.ts';
import type { RecoverParts } from '../jobs/plan-recovery.ts';
import { incomingFolder } from '../jobs/incoming-folder.ts';
import type { WalStreamParts } from '../jobs/wal-stream.ts';
import type { WatchLimits } from '../jobs/wal-watch.ts';
import { findPrograms as findProgramsOf, type ClientPrograms } from '../postgres/programs.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { isStreamed } from '../wal/stream-state.ts';
import type { TargetsOfSource } from './targets.ts';

interface Given {
  readonly own: TargetsOfSource;
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  readonly reports: readonly ReportPlace[];
  readonly version: string;
  /** All sources. */
  readonly configured: readonly Config[];
}

/** More costs time and gains little on pages and WAL. */
const LEVEL = 1;

/** WAL and physical backups are of a server: all its databases that one source stands for have them under its name. */
function nameInArchive({ source }: Config): string {
  return source.group ?? source.name;
}

/**
 * The source that the WAL of its server comes with, where that is another one: by themselves there is one stream for each server, that of the
 * source that asks for it, or of the first.
 */
function comesWith(config: Config, all: readonly Config[]): { readonly comesWith?: string } {
  const { host, port } = config.source.connection;
  const those = all.filter(
    ({ source: { connection }, pitr }) => connection.host === host && connection.port === port && pitr.enabled !== false,
  );
  const name = (those.find(({ pitr }) => pitr.enabled === true) ?? those[0])?.source.name;
  return name === undefined || name === nameInArchive(config) ? {} : { comesWith: name };
}

export function walStreamParts(config: Config, { own, findPrograms, configured }: Given): WalStreamParts {
  const { spool, targets } = own;
  return {
    ...{ source: config.source.name, connection: config.source.connection, findPrograms, targets },
    ...{ enabled: config.pitr.enabled, ...comesWith(config, configured) },
    ...(config.source.listed && { reportName: config.source.name }),
    ...(spool && { spool }),
    ...{ workFolder: config.paths.work, slot: config.pitr.slot, codec: config.dump.codec, level: LEVEL },
    intervalMs: config.pitr.intervalSeconds * 1000,
    limits: watchLimits(config),
  };
}

function watchLimits({ pitr, drill }: Config): WatchLimits {
  const { intervalSeconds, lagMs, stallMs, slotWarnBytes, spoolBytes, dropSlotBytes, synchronous } = pitr;
  return {
    ...{
      intervalMs: intervalSeconds * 1000,
      lagMs,
      stallMs,
      rpoMs: drill.rpoMinutes * 60_000,
      keptBytes: slotWarnBytes,
      synchronous,
    },
    ...(spoolBytes !== undefined && { spoolBytes }),
    ...(dropSlotBytes !== undefined && { dropSlotBytes }),
  };
}

/** What `health` looks at; `baseLimitMs`: how old a physical backup may be. */
export function walHealthParts(config: Config, { own, configured }: Given, baseLimitMs: number): WalHealthParts {
  const { spool, targets } = own;
  const { connection } = config.source;
  const source = nameInArchive(config);
  return {
    ...{
      enabled: config.pitr.enabled,
      source,
      connection,
      slot: config.pitr.slot,
      targets,
      limits: watchLimits(config),
      baseLimitMs,
      ...comesWith(config, configured),
    },
    folder: incomingFolder({ source, workFolder: config.paths.work, ...(spool && { spool }) }),
  };
}

export function baseBackupParts(config: Config, { own, reports, version }: Given): BaseBackupParts {
  const { spool, targets, retries } = own;
  const { maxRateKiB, keepDays, keepMonths, enabled, incrementals } = config.pitr;
  const source = nameInArchive(config);
  return {
    ...{ source, connection: config.source.connection, targets, reports, version },
    ...(spool && { spool }),
    ...{
      codec: config.dump.codec,
      level: LEVEL,
      workers: config.dump.workers,
      rules: { keepDays, keepMonths },
      incrementals,
      archived: async () =>
        await isStreamed({ enabled, folder: incomingFolder({ source, workFolder: config.paths.work, ...(spool && { spool }) }) }),
    },
    ...(maxRateKiB !== undefined && { maxRateKiB }),
    ...{ walWaitMs: config.pitr.walWaitMs, repair: retries, redact: config.redact },
    stallTimeoutMs: config.storage.stallTimeoutSeconds * 1000,
  };
}

/** `targets`: those to read from. */
export function recoverParts(config: Config, { own, findPrograms }: Given): Omit<RecoverParts, 'log'> {
  const { spool, targets } = own;
  const source = nameInArchive(config);
  const incoming = spool && incomingFolder({ spool, source, workFolder: config.paths.work });
  return {
    ...{ source, targets, ...(incoming !== undefined && { incoming }), findPrograms },
    findServer: (serverMajor) => findProgramsOf({ serverMajor, server: true, ...config.programs }),
    ...{ connection: config.source.connection, workers: config.restore.workers },
  };
}

/** The drill reads where the restore drill reads: what a disaster here would leave. */
export function pitrDrillParts(config: Config, given: Given, drill: RestoreDrillParts): PitrDrillParts {
  const { own } = given;
  const recovery = recoverParts(config, given);
  const named = config.drill.from === undefined ? undefined : own.targets.filter(({ name }) => name === config.drill.from);
  const targets = named?.length ? named : own.others.length > 0 ? own.others : own.targets;
  const { incoming, ...rest } = recovery;
  const near = own.spool !== undefined && targets.some(({ name }) => name === own.spool?.name);
  return { ...drill, recovery: { ...rest, targets, ...(near && incoming !== undefined && { incoming }) } };
}
