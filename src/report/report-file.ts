import { reportStem } from '../catalog/report-names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { bytesContent } from '../storage/content.ts';
import type { Storage } from '../storage/storage.ts';

/** Where reports live under the backup directory and under a bucket's prefix. */
export const LOGS = 'logs/';

export interface ReportPlace {
  readonly storage: Storage;
  /** {@link LOGS}, or nothing when the storage is a folder of reports only. */
  readonly prefix: string;
  /** Whether it lies in the directory that a run locks, so that nobody else is writing there. */
  readonly underLock?: boolean;
}

/** One of the files that a report consists of. */
export interface ReportFile {
  /** `.json`, `.html` */
  readonly extension: string;
  readonly text: string;
}

/** What the name of a report says: its kind, its source where it shares the folder with others, and the start of the run. */
export interface ReportSubject {
  readonly source?: string | undefined;
  readonly started: Date;
}

/**
 * Stores a report durably as `<kind>_report_[<source>_]<YYYYMMDD>_<HHMMSS>.json` (UTC, the run's start) in the first of `places` that
 * takes it, and returns its location. Never replaces another report: a second one of the same second gets `_2`.
 * Throws when no place takes it.
 */
export async function writeReport(
  kind: string,
  subject: ReportSubject,
  report: object,
  places: readonly ReportPlace[],
): Promise<string> {
  const [location] = await writeReportFiles(`${kind}_report`, subject, () => [jsonFile(report)], places);
  return location!;
}

/** A report as JSON, indented: people grep in it. */
export function jsonFile(report: object): ReportFile {
  return { extension: '.json', text: `${JSON.stringify(report, null, 2)}\n` };
}

/**
 * The same for a report of several files with one name, `<kind>_[<source>_]<YYYYMMDD>_<HHMMSS>.*`. The last one is stored last: it is there
 * only if all are. `files` is told the name without extension. Returns their locations, in the order of the files.
 */
export async function writeReportFiles(
  kind: string,
  { source, started }: ReportSubject,
  files: (stem: string) => readonly ReportFile[],
  places: readonly ReportPlace[],
): Promise<string[]> {
  const failures: BackupError[] = [];
  for (const { storage, prefix } of places) {
    try {
      const stem = await freeStem(storage, prefix + reportStem(kind, source, started));
      const keys: string[] = [];
      for (const { extension, text } of files(stem.slice(prefix.length))) {
        keys.push(stem + extension);
        await storage.put(stem + extension, bytesContent(Buffer.from(text)));
      }
      return keys.map((key) => storage.location(key));
    } catch (error) {
      failures.push(toBackupError(error));
    }
  }
  const reasons = failures.map(({ message }) => message).join('; ');
  throw new BackupError('STORAGE_NO_TARGET', `the report could not be stored (${reasons}); the log has what it would have said`, {
    hint: failures[0]?.hint ?? 'Configure a backup directory, or another target.',
    ...(failures[0] && { cause: failures[0] }),
  });
}

async function freeStem(storage: Storage, stem: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const free = attempt === 1 ? stem : `${stem}_${attempt}`;
    if ((await storage.head(`${free}.json`)) === undefined) return free;
  }
}
