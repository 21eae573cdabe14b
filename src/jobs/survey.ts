import { readPin } from '../catalog/pins.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import { lastBackupReport } from '../report/last-report.ts';
import { planRetention, type RetentionPlan } from '../retention/plan.ts';
import { readListing, refusePartialListing } from '../retention/read-listing.ts';
import type { CleanupSource, WeeklyCleanupParts } from './cleanup-parts.ts';
import type { JobContext } from './job.ts';
import { provenBackups } from './proven-backups.ts';
import type { ScrubState } from './scrub-state.ts';

/** All backups of all targets but those that another clean-up looks after. Throws rather than return what may be a part of them. */
export async function listWhole(parts: WeeklyCleanupParts, signal: AbortSignal): Promise<Listing> {
  const listing = await listBackups(parts.targets, { signal, except: parts.elsewhere });
  refusePartialListing(
    listing,
    parts.targets.map(({ name }) => name),
  );
  return listing;
}

/** What stays and what goes, by the listing and by what drills, pins, the last run and the scrub say. */
export async function planOf(
  parts: WeeklyCleanupParts,
  listing: Listing,
  state: ScrubState,
  context: JobContext,
  warn: (text: string) => void,
): Promise<RetentionPlan> {
  const { signal, clock } = context;
  const { targets } = parts;
  const onOdd = (location: string) => warn(`${location} is no report of a drill that can be read; it proves nothing`);
  const proven = await provenBackups(parts.drillReports, (source) => !parts.elsewhere(source), onOdd, signal);
  const pins = new Map<string, string>();
  for (const { key } of listing.backups.filter(({ pinned }) => pinned)) {
    pins.set(key, (await readPin(targets, key, signal))?.reason ?? '');
  }
  const sums = new Map(listing.backups.map(({ key, manifest }) => [key, manifest?.file.sha256]));
  const isDamaged = (target: string, key: string) => state.of(target, key, sums.get(key))?.verdict === 'damaged';
  const sources = [];
  for (const source of parts.sources) {
    const lastRunProblem = await problemOfLastRun(parts, source, signal);
    sources.push({ ...source, ...(lastRunProblem !== undefined && { lastRunProblem }) });
  }
  return planRetention({
    backups: readListing(listing, { proven, pins, isDamaged }),
    sources,
    targets: targets.map(({ name }) => name),
    now: clock.now().getTime(),
  });
}

/** A run that left something out, or missed one target, has made a backup all the same: what a target lacks is seen on that target. */
async function problemOfLastRun(
  parts: WeeklyCleanupParts,
  { name }: CleanupSource,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const last = await lastBackupReport(parts.reports, name, signal);
    if (last === undefined) return undefined;
    const { outcome, startedAt, error } = last.report;
    if (outcome === 'success' || outcome === 'incomplete') return undefined;
    return `the last backup (${startedAt}) ended with ${outcome}${error ? `: ${error.message}` : ''}`;
  } catch (error) {
    signal.throwIfAborted();
    return `how the last backup ended is not known: ${errorReport(toBackupError(error)).message}`;
  }
}
