import { isGood, type Backup } from '../catalog/backup.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { newestProof, type Proof } from '../report/newest-proof.ts';
import type { ReportPlace } from '../report/report-file.ts';
import type { SourceStatus } from '../report/source-status.ts';
import type { Storage } from '../storage/storage.ts';

/** What decides whether a source is well. */
export interface Objectives {
  /** How old its newest good backup may be, ms. */
  readonly freshnessLimitMs: number;
  readonly rpoMinutes: number;
  readonly rtoMinutes: number;
  /** Longest time between two runs of the backup's schedule; `undefined` when it never runs twice. */
  readonly scheduleMinutes: () => number | undefined;
}

export interface OverviewParts {
  /** Whether backups of a source are looked at elsewhere, so that nothing of them is read here. */
  readonly elsewhere?: (source: string) => boolean;
  /** Configured name of the source. */
  readonly source: string;
  readonly targets: readonly Storage[];
  /** Where the drill's reports are. */
  readonly drillReports: readonly ReportPlace[];
  readonly objectives: Objectives;
}

/** How a source stands, as targets and reports tell. */
export interface Overview {
  readonly listing: Listing;
  /** Of this source, newest first. */
  readonly backups: readonly Backup[];
  /** Newest first. */
  readonly good: readonly Backup[];
  readonly proof: Proof | undefined | BackupError;
  readonly askedAt: Date;
}

/** Asks all targets for what they hold of a source, and the reports for what was proven. Throws only when aborted. */
export async function overview(
  parts: OverviewParts,
  now: Date,
  signal: AbortSignal,
  /** When the run began that is writing now; see `listBackups`. */
  writingSince?: Date,
): Promise<Overview> {
  const listing = await listBackups(parts.targets, {
    ...{ allowUnreachable: true, signal, writingSince },
    ...(parts.elsewhere && { except: parts.elsewhere }),
  });
  const backups = listing.backups.filter(({ source }) => source === parts.source);
  return {
    ...{ listing, backups, good: backups.filter(isGood), askedAt: now },
    proof: await proofOf(parts, signal),
  };
}

async function proofOf({ source, drillReports }: OverviewParts, signal: AbortSignal): Promise<Proof | undefined | BackupError> {
  try {
    return await newestProof(source, drillReports, signal);
  } catch (error) {
    signal.throwIfAborted();
    return toBackupError(error);
  }
}

type Standing = Omit<SourceStatus, 'since' | 'updatedAt' | 'health' | 'staleAfter' | 'jobs'>;

/** The same for the status file. What could not be asked keeps what was known of it before. */
export function standingOf(seen: Overview | undefined, objectives: Objectives, before: SourceStatus | undefined): Standing {
  const { freshnessLimitMs, rpoMinutes, rtoMinutes, scheduleMinutes } = objectives;
  const schedule = scheduleMinutes();
  const wanted = {
    freshnessLimitMinutes: freshnessLimitMs / 60_000,
    rpo: { targetMinutes: rpoMinutes, ...(schedule !== undefined && { scheduleMinutes: schedule }) },
    rto: { targetMinutes: rtoMinutes },
  };
  const nobodySays = seen === undefined || (seen.good.length === 0 && seen.listing.unreachable.length > 0);
  if (nobodySays) {
    const { askedAt, newestGood, freshUntil, newestProven, recoverableSince, goodBackups = 0, rpo, rto } = before ?? {};
    return {
      ...(askedAt !== undefined && { askedAt }),
      ...(newestGood && { newestGood }),
      ...(freshUntil !== undefined && { freshUntil }),
      ...(newestProven && { newestProven }),
      ...(recoverableSince !== undefined && { recoverableSince }),
      goodBackups,
      ...wanted,
      rpo: { ...wanted.rpo, ...(rpo?.minutes !== undefined && { minutes: rpo.minutes }) },
      rto: { ...wanted.rto, ...(rto?.minutes !== undefined && { minutes: rto.minutes }) },
    };
  }
  const { good, proof, askedAt } = seen;
  const newest = good[0];
  const proven = proof instanceof Error || proof === undefined ? undefined : proof;
  const oldest = good.at(-1)?.manifest?.snapshot.time;
  const kept = proof instanceof Error ? before?.newestProven : undefined;
  return {
    askedAt: askedAt.toISOString(),
    ...(newest && {
      newestGood: storedStatus(newest),
      freshUntil: new Date(newest.started.getTime() + freshnessLimitMs).toISOString(),
    }),
    ...(proven && { newestProven: { label: proven.label, provenAt: proven.at.toISOString(), report: proven.report } }),
    ...(kept && { newestProven: kept }),
    ...(oldest !== undefined && { recoverableSince: oldest }),
    goodBackups: good.length,
    ...wanted,
    rpo: { ...wanted.rpo, ...(newest && { minutes: lossMinutes(newest, askedAt) }) },
    rto: { ...wanted.rto, ...(proven?.restoreMinutes !== undefined && { minutes: proven.restoreMinutes }) },
  };
}

function lossMinutes({ started, manifest }: Backup, now: Date): number {
  const snapshot = manifest ? Date.parse(manifest.snapshot.time) : started.getTime();
  return Math.max(0, Math.round((now.getTime() - snapshot) / 600) / 100);
}

function storedStatus({ label, started, state, bytes, manifest, copies }: Backup) {
  return {
    ...{ label, startedAt: started.toISOString(), state: state === 'complete' ? ('complete' as const) : ('incomplete' as const) },
    ...(manifest && { snapshotAt: manifest.snapshot.time }),
    ...(bytes !== undefined && { bytes }),
    targets: copies.filter((copy) => copy.state === 'whole').map(({ target }) => target),
  };
}
