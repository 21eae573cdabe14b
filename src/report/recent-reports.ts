import { newestReportFirst, parseReportName } from '../catalog/report-names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from './report-file.ts';

/** What every report says of itself, whatever job it is of. */
export interface RecentReport {
  readonly location: string;
  readonly job: string;
  readonly startedAt: string;
  readonly outcome: string;
  readonly source?: string;
  readonly label?: string;
  readonly durationSeconds?: number;
  readonly message?: string;
}

/** Reports that are opened to find those of one source. */
const OPENED = 500;

/** How the names of reports begin, by job, and whose places they are in. */
const KINDS: Readonly<Record<string, { readonly prefix: string; readonly of: 'reports' | 'drills' }>> = {
  'nightly-backup': { prefix: 'backup_report_', of: 'reports' },
  'weekly-cleanup': { prefix: 'cleanup_report_', of: 'reports' },
  'restore-drill': { prefix: 'monthly_drill_', of: 'drills' },
  'pitr-drill': { prefix: 'pitr_drill_', of: 'drills' },
  'health-check': { prefix: 'health_report_', of: 'reports' },
};

/** What a report may say, of whatever kind and version. */
type Says = Partial<Record<string, unknown>> & {
  readonly error?: { readonly message?: unknown } | null;
  readonly backup?: { readonly label?: unknown } | null;
};

/**
 * The newest reports of some jobs over all places, the newest first; of one source alone, if one is named. What cannot be read is told to `onFailure`, and a place that does
 * not exist has none.
 */
export async function recentReports(
  { jobs, count, source }: { readonly jobs: readonly string[]; readonly count: number; readonly source: string | undefined },
  places: { readonly reports: readonly ReportPlace[]; readonly drills: readonly ReportPlace[] },
  onFailure: (where: string, error: BackupError) => void,
  signal: AbortSignal,
): Promise<RecentReport[]> {
  const found: RecentReport[] = [];
  for (const job of jobs) {
    const kind = KINDS[job];
    for (const { storage, prefix } of kind ? places[kind.of] : []) {
      try {
        const names: string[] = [];
        for await (const { key } of storage.list(prefix + kind!.prefix, signal)) {
          const name = key.slice(prefix.length);
          const named = parseReportName(name)?.source;
          if (name.endsWith('.json') && (source === undefined || (named ?? source) === source)) names.push(name);
        }
        let taken = 0;
        for (const name of names.sort(newestReportFirst).slice(0, OPENED)) {
          if (taken === count) break;
          const key = prefix + name;
          const parts: Uint8Array[] = [];
          for await (const part of storage.get(key, undefined, signal)) parts.push(Buffer.from(part));
          const report = reportOf(job, storage.location(key), Buffer.concat(parts).toString('utf8'));
          if (source !== undefined && report.source !== undefined && report.source !== source) continue;
          found.push(report);
          taken += 1;
        }
      } catch (thrown) {
        signal.throwIfAborted();
        const error = toBackupError(thrown);
        if (error.code !== 'STORAGE_MISSING') onFailure(storage.name, error);
      }
    }
  }
  return found.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(0, count);
}

function reportOf(job: string, location: string, content: string): RecentReport {
  const says = parse(content);
  const label = textOf(says['label']) ?? textOf(says.backup?.label);
  const message = textOf(says.error?.message);
  const source = textOf(says['source']);
  return {
    ...{ location, job },
    startedAt: textOf(says['startedAt']) ?? textOf(says['drill_timestamp']) ?? '',
    outcome: textOf(says['outcome']) ?? textOf(says['status']) ?? 'unreadable',
    ...(source !== undefined && { source }),
    ...(label !== undefined && { label }),
    ...(typeof says['durationSeconds'] === 'number' && { durationSeconds: says['durationSeconds'] }),
    ...(message !== undefined && { message }),
  };
}

function parse(content: string): Says {
  try {
    return (JSON.parse(content) as Says | null) ?? {};
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
