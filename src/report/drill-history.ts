import { newestReportFirst, parseReportName } from '../catalog/report-names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { BackupReport } from './backup-report.ts';
import type { DrillReport, TrendPoint } from './drill-report.ts';
import type { ReportPlace } from './report-file.ts';

const DAY_MS = 86_400_000;
/** How the reports of drills begin. */
export const DRILL_REPORT = 'monthly_drill';
/** Drills that a trend goes back to: three years of one a month. */
const LONGEST_TREND = 36;
/** Reports that are opened to find one of this source that can be read. */
const OPENED = 50;

/** The drills of `source` so far, the oldest first: the last report carries those before it. */
export async function readTrend(
  source: string,
  places: readonly ReportPlace[],
  onFailure: (where: string, error: BackupError) => void,
  signal?: AbortSignal,
): Promise<readonly TrendPoint[]> {
  for (const { storage, prefix } of places) {
    const keys: string[] = [];
    try {
      for await (const { key } of storage.list(`${prefix}${DRILL_REPORT}_`, signal)) {
        const name = key.slice(prefix.length);
        if (name.endsWith('.json') && mayBeOf(source, name)) keys.push(name);
      }
    } catch (error) {
      signal?.throwIfAborted();
      onFailure(storage.name, toBackupError(error));
      continue;
    }
    for (const name of keys.sort(newestReportFirst).slice(0, OPENED)) {
      const key = prefix + name;
      try {
        const report = (await readJson(storage, key, signal)) as Partial<DrillReport>;
        if (report.source !== source || !Array.isArray(report.trend)) continue;
        return (report.trend as TrendPoint[]).slice(1 - LONGEST_TREND);
      } catch (error) {
        signal?.throwIfAborted();
        onFailure(storage.location(key), toBackupError(error));
      }
    }
  }
  return [];
}

export interface ReportedBackup {
  readonly label: string;
  /** Time of its snapshot. */
  readonly at: Date;
}

/** The good backups of `source` since a time as their reports tell, also those that have been removed since. In no order. */
export async function readBackupHistory(
  source: string,
  since: Date,
  places: readonly ReportPlace[],
  onFailure: (where: string, error: BackupError) => void,
  signal?: AbortSignal,
): Promise<ReportedBackup[]> {
  const found: ReportedBackup[] = [];
  const from = Math.floor(since.getTime() / DAY_MS) * DAY_MS;
  for (const { storage, prefix } of places) {
    try {
      for await (const { key } of storage.list(`${prefix}backup_report_`, signal)) {
        const name = key.slice(prefix.length);
        if (!mayBeOf(source, name) || parseReportName(name)!.time < from) continue;
        const report = (await readJson(storage, key, signal)) as Partial<BackupReport>;
        const stored = report.targets?.some(({ state }) => state === 'stored') ?? false;
        if (report.source !== source || !stored || report.label === undefined || report.snapshot === undefined) continue;
        found.push({ label: report.label, at: new Date(report.snapshot.time) });
      }
    } catch (error) {
      signal?.throwIfAborted();
      onFailure(storage.name, toBackupError(error));
    }
  }
  return found;
}

/** By its name; one from before there were several sources names its own only inside. */
function mayBeOf(source: string, name: string): boolean {
  const parsed = parseReportName(name);
  return parsed !== undefined && (parsed.source ?? source) === source;
}

async function readJson(storage: Storage, key: string, signal: AbortSignal | undefined): Promise<unknown> {
  const parts: Uint8Array[] = [];
  for await (const part of storage.get(key, undefined, signal)) parts.push(Buffer.from(part));
  return JSON.parse(Buffer.concat(parts).toString('utf8'));
}
