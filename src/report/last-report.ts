import { BackupError, toBackupError } from '../errors.ts';
import type { BackupReport } from './backup-report.ts';
import type { ReportPlace } from './report-file.ts';

export interface FoundReport {
  readonly location: string;
  readonly report: BackupReport;
}

/** The newest report of a backup over all places that can be asked; `undefined` if there is none. Throws when no place can be asked. */
export async function lastBackupReport(places: readonly ReportPlace[], signal?: AbortSignal): Promise<FoundReport | undefined> {
  const found: FoundReport[] = [];
  const failures: BackupError[] = [];
  for (const { storage, prefix } of places) {
    try {
      let newest: string | undefined;
      // Names sort by time: `…_020000.json` comes before `…_020000_2.json`.
      for await (const { key } of storage.list(`${prefix}backup_report_`, signal)) newest = key;
      if (newest === undefined) continue;
      const parts: Uint8Array[] = [];
      for await (const part of storage.get(newest, undefined, signal)) parts.push(Buffer.from(part));
      found.push({ location: storage.location(newest), report: parse(Buffer.concat(parts), storage.location(newest)) });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push(toBackupError(error));
    }
  }
  if (found.length === 0 && failures[0]) throw failures[0];
  return found.sort((a, b) => (a.report.startedAt < b.report.startedAt ? 1 : -1))[0];
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
