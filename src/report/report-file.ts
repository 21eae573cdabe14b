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

/**
 * Stores a report durably as `<kind>_report_<YYYYMMDD>_<HHMMSS>.json` (UTC, the run's start) in the first of `places` that
 * takes it, and returns its location. Never replaces another report: a second one of the same second gets `_2`.
 * Throws when no place takes it.
 */
export async function writeReport(kind: string, started: Date, report: object, places: readonly ReportPlace[]): Promise<string> {
  const content = bytesContent(Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
  const failures: BackupError[] = [];
  for (const { storage, prefix } of places) {
    try {
      const key = await freeKey(storage, `${prefix}${kind}_report_${stampOf(started)}`);
      await storage.put(key, content);
      return storage.location(key);
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

async function freeKey(storage: Storage, stem: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const key = attempt === 1 ? `${stem}.json` : `${stem}_${attempt}.json`;
    if ((await storage.head(key)) === undefined) return key;
  }
}

function stampOf(time: Date): string {
  return time.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
}
