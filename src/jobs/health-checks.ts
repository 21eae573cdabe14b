import type { Backup } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import { BackupError } from '../errors.ts';
import type { HealthCheck } from '../health/check.ts';
import { checkClock } from '../health/clock.ts';
import { checkCopies } from '../health/copies.ts';
import { checkDrillPrograms } from '../health/drill-programs.ts';
import { checkFreshness } from '../health/freshness.ts';
import type { Measured } from '../health/growth.ts';
import { checkLastRun, type LastRun } from '../health/last-run.ts';
import { checkLeftovers } from '../health/leftovers.ts';
import { checkLedger } from '../health/ledger.ts';
import { checkPermissions } from '../health/permissions.ts';
import { checkProof } from '../health/proof.ts';
import { checkRecoveryPoint } from '../health/recovery-point.ts';
import { checkClientPrograms, checkServer } from '../health/server.ts';
import { checkSizes } from '../health/sizes.ts';
import { checkSpace } from '../health/space.ts';
import { checkStates } from '../health/states.ts';
import { checkTarget } from '../health/target.ts';
import { checkAlerts } from '../health/undelivered.ts';
import { lastBackupReport } from '../report/last-report.ts';
import type { Storage } from '../storage/storage.ts';
import { attempted } from './attempted.ts';
import type { HealthCheckParts } from './health-parts.ts';
import type { JobContext } from './job.ts';
import { lookAtFiles } from './look-at-files.ts';
import { lookAtServer } from './look-at-server.ts';
import { lookAtWal } from './look-at-wal.ts';
import { lookForLeftovers } from './look-for-leftovers.ts';
import { overview, type Overview } from './overview.ts';

/** Every check, in no order. A look that fails is a check that was not made, never one that is left out. Throws only when aborted. */
export async function healthChecks(
  parts: HealthCheckParts,
  { clock, signal }: JobContext,
): Promise<{ readonly checks: readonly HealthCheck[]; readonly seen: Overview }> {
  const now = clock.now();
  const { source, targets, objectives, reports, drillReports } = parts;
  const { freshnessLimitMs: limitMs, rpoMinutes, scheduleMinutes } = objectives;
  const attempt = <T>(look: (signal: AbortSignal) => Promise<T>) => attempted(look, parts.timeoutMs, signal);

  const probes = await Promise.all(targets.map((target) => attempt((own) => target.probe(own))));
  const seen = await seenOf(parts, probes, now, signal);
  const { listing, backups, good } = seen;
  const newest = good[0];
  const server = await lookAtServer(parts, majorOf(newest), clock, signal);
  const before = await attempt(async () => (await parts.board?.read())?.sources[source]);
  const first = before instanceof BackupError ? undefined : before?.since;
  const runs = parts.runsUntilRoom(now);
  const sizes = sizesBySource(listing);
  const free = await Promise.all(
    targets.flatMap((target, at) => {
      const ask = target.free?.bind(target);
      // Of what cannot be used it is known already.
      return ask && !(probes[at] instanceof BackupError) ? [attempt(ask).then((bytes) => ({ target: target.name, bytes }))] : [];
    }),
  );
  const { proof } = seen;
  const checks = [
    ...[checkServer(server.answer), checkClientPrograms(server.clients), checkClock(server.clock)],
    ...targets.map((target, at) => checkTarget(target.name, target.location('full'), errorOf(probes[at]))),
    checkFreshness({ newest, limitMs, now, unlisted: listing.unreachable.map(({ target }) => target) }),
    ...targets.map(({ name }) => {
      const error = listing.unreachable.find(({ target }) => target === name)?.error;
      return checkCopies({ target: name, error, backups, limitMs, now });
    }),
    checkProof(
      proof instanceof BackupError ? proof : { newest: proof, first: first === undefined ? undefined : new Date(first), now },
    ),
    checkRecoveryPoint({ targetMinutes: rpoMinutes, scheduleMinutes: scheduleMinutes() }),
    checkLastRun(await attempt((own) => lastRun(source, reports, own))),
    checkStates(backups, now),
    checkSizes(good.flatMap(sizeOf)),
    ...free.map(({ target, bytes }) =>
      checkSpace({ target, free: bytes, sources: sizes.map((each) => each.get(target) ?? []), runs }),
    ),
    checkPermissions(await attempt(async () => ({ seen: await lookAtFiles(parts.local), owners: owners() }))),
    checkLeftovers(await attempt((own) => lookForLeftovers(parts, now, own))),
    checkDrillPrograms(server.drill),
    checkLedger(await attempt(async () => parts.lookAtLedger?.(now))),
    ...(await lookAtWal(parts.wal, {
      ...{ drillReports, timeoutMs: parts.timeoutMs, answers: server.answer.error === undefined, clock, signal },
    })),
    checkAlerts(await attempt((own) => parts.alerts(own))),
  ];
  return { checks, seen };
}

/** What targets and reports tell. One that did not answer the probe in time is not asked again. */
async function seenOf(parts: HealthCheckParts, probes: readonly unknown[], now: Date, signal: AbortSignal): Promise<Overview> {
  const targets = parts.targets.map((target, at) => {
    const error = errorOf(probes[at]);
    return error?.code === 'STALLED' ? silent(target, error) : target;
  });
  const hung = (name: string) => targets.some((target, at) => target.name === name && target !== parts.targets[at]);
  const drillReports = parts.drillReports.filter(({ storage }) => !hung(storage.name));
  const seen = await attempted((own) => overview({ ...parts, targets, drillReports }, now, own), parts.timeoutMs, signal);
  if (!(seen instanceof BackupError)) return seen;
  const unreachable = targets.map(({ name }) => ({ target: name, error: seen }));
  return { listing: { backups: [], unreachable }, backups: [], good: [], proof: seen, askedAt: now };
}

function silent(target: Storage, error: BackupError): Storage {
  return {
    ...target,
    // eslint-disable-next-line require-yield
    async *list() {
      throw error;
    },
  };
}

async function lastRun(source: string, reports: HealthCheckParts['reports'], signal: AbortSignal): Promise<LastRun | undefined> {
  const found = await lastBackupReport(reports, source, signal);
  if (!found || found.report.source !== source) return undefined;
  const { outcome, startedAt, error } = found.report;
  return { outcome, startedAt, ...(error && { message: error.message, ...(error.hint !== undefined && { hint: error.hint }) }) };
}

function errorOf(outcome: unknown): BackupError | undefined {
  return outcome instanceof BackupError ? outcome : undefined;
}

function majorOf(backup: Backup | undefined): number | undefined {
  return backup?.manifest && Math.floor(backup.manifest.server.versionNum / 10_000);
}

function sizeOf({ label, manifest }: Backup) {
  if (!manifest) return [];
  return [{ label, rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0), rawBytes: manifest.file.rawBytes }];
}

/** Of each source its copies on each target. */
function sizesBySource({ backups }: Listing): ReadonlyMap<string, Measured[]>[] {
  const sources = new Map<string, Map<string, Measured[]>>();
  for (const { source, started, copies } of backups) {
    const targets = sources.get(source) ?? new Map<string, Measured[]>();
    sources.set(source, targets);
    for (const { target, state, bytes } of copies) {
      if (state === 'whole' && bytes !== undefined) targets.set(target, [...(targets.get(target) ?? []), { at: started, bytes }]);
    }
  }
  return [...sources.values()];
}

/** Accounts that what is kept here may belong to. */
function owners(): number[] {
  return [process.getuid?.() ?? 0, 0];
}
