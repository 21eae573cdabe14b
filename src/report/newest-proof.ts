import { newestReportFirst, parseReportName } from '../catalog/report-names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { DrillReport } from './drill-report.ts';
import { DRILL_REPORT } from './drill-history.ts';
import type { PITR_DRILL_REPORT, PitrDrillReport } from './pitr-drill-report.ts';
import type { ReportPlace } from './report-file.ts';

/** A drill that proved that a backup restores, or that one is recovered from to an instant. */
export interface Proof {
  readonly label: string;
  /** When the drill began. */
  readonly at: Date;
  readonly report: string;
  /** How long the restore took; absent when it was not measured. */
  readonly restoreMinutes?: number;
}

/**
 * The newest drill of that kind that proved a backup of `source`, over all places. What cannot be fetched throws only when no other place has a
 * proof: a further one would make it no older. A place that does not exist has none, if another one does.
 */
export async function newestProof(
  source: string,
  places: readonly ReportPlace[],
  signal?: AbortSignal,
  kind: typeof DRILL_REPORT | typeof PITR_DRILL_REPORT = DRILL_REPORT,
): Promise<Proof | undefined> {
  const proofs: Proof[] = [];
  const failures: BackupError[] = [];
  for (const place of places) {
    try {
      const proof = await newestIn(source, place, kind, signal);
      if (proof) proofs.push(proof);
    } catch (thrown) {
      signal?.throwIfAborted();
      failures.push(toBackupError(thrown));
    }
  }
  const newest = proofs.sort((a, b) => b.at.getTime() - a.at.getTime())[0];
  const absent = failures.filter(({ code }) => code === 'STORAGE_MISSING');
  const failure = failures.find((each) => !absent.includes(each)) ?? (absent.length === places.length ? absent[0] : undefined);
  if (!newest && failure) throw failure;
  return newest;
}

async function newestIn(
  source: string,
  { storage, prefix }: ReportPlace,
  kind: string,
  signal: AbortSignal | undefined,
): Promise<Proof | undefined> {
  const names: string[] = [];
  for await (const { key } of storage.list(`${prefix}${kind}_`, signal)) {
    const name = key.slice(prefix.length);
    if (name.endsWith('.json') && (parseReportName(name)?.source ?? source) === source) names.push(name);
  }
  for (const name of names.sort(newestReportFirst)) {
    const key = prefix + name;
    const says = await readSays(storage, key, signal);
    const label = says?.backup?.label ?? says?.window?.base;
    if (says?.source !== source || says.status !== 'success' || label === undefined) continue;
    const minutes = says.restore_duration_minutes;
    return {
      label,
      at: new Date(says.drill_timestamp ?? Number.NaN),
      report: storage.location(key),
      ...(typeof minutes === 'number' && { restoreMinutes: minutes }),
    };
  }
  return undefined;
}

/** What both kinds say. */
type Says = Partial<Pick<DrillReport, 'source' | 'status' | 'drill_timestamp' | 'backup' | 'restore_duration_minutes'>> &
  Pick<PitrDrillReport, 'window'>;

/** What is no JSON proves nothing. */
async function readSays(storage: Storage, key: string, signal: AbortSignal | undefined): Promise<Says | undefined> {
  const parts: Uint8Array[] = [];
  for await (const part of storage.get(key, undefined, signal)) parts.push(Buffer.from(part));
  try {
    return (JSON.parse(Buffer.concat(parts).toString('utf8')) as Says | null) ?? undefined;
  } catch {
    return undefined;
  }
}
