import { newestReportFirst, parseReportName, reportPrefix } from '../catalog/report-names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { BackupReport } from './backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import type { ReportPlace } from './report-file.ts';

const KIND = 'backup_report';

export interface FoundReport {
  readonly location: string;
  readonly report: BackupReport;
}

/**
 * The newest report of a backup of `source`, or of any without one, over all places that can be asked; `undefined` if there is none.
 * Throws when no place can be asked.
 */
export async function lastBackupReport(
  places: readonly ReportPlace[],
  source: string | undefined,
  signal?: AbortSignal,
): Promise<FoundReport | undefined> {
  const found: FoundReport[] = [];
  const failures: BackupError[] = [];
  for (const { storage, prefix } of places) {
    try {
      const names: string[] = [];
      for await (const { key } of candidates(storage, prefix, source, signal)) {
        const parsed = parseReportName(key.slice(prefix.length));
        if (parsed?.kind === KIND && (source === undefined || (parsed.source ?? source) === source))
          names.push(key.slice(prefix.length));
      }
      // A report from before there were several sources names its source only inside.
      for (const name of names.sort(newestReportFirst)) {
        const parts: Uint8Array[] = [];
        for await (const part of storage.get(prefix + name, undefined, signal)) parts.push(Buffer.from(part));
        const location = storage.location(prefix + name);
        const report = parse(Buffer.concat(parts), location);
        if (source !== undefined && report.source !== source) continue;
        found.push({ location, report });
        break;
      }
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(toBackupError(error));
    }
  }
  if (found.length === 0 && failures[0]) throw failures[0];
  return found.sort((a, b) => (a.report.startedAt < b.report.startedAt ? 1 : -1))[0];
}

/** By the names that they have with and without a source: of the others not even the size is asked. */
async function* candidates(storage: Storage, prefix: string, source: string | undefined, signal: AbortSignal | undefined) {
  if (source === undefined) yield* storage.list(prefix + reportPrefix(KIND, undefined), signal);
  else {
    yield* storage.list(prefix + reportPrefix(KIND, source), signal);
    // Then comes the year.
    if (!/^[12]/.test(source)) yield* storage.list(`${prefix}${reportPrefix(KIND, undefined)}2`, signal);
  }
}

function parse(bytes: Buffer, location: string): BackupReport {
  try {
    return JSON.parse(bytes.toString('utf8')) as BackupReport;
  } catch (cause) {
    throw new BackupError('STORAGE_CORRUPT', `the report ${location} is not JSON`, {
      cause,
      hint: 'The next run writes a new one.',
    });
  }
}
