import { parseReportName } from '../catalog/report-names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { DRILL_REPORT } from './drill-history.ts';
import type { ReportPlace } from './report-file.ts';

/**
 * When each source was drilled last, however that ended, ms since 1970, by the names of the reports. A place that cannot be listed is told
 * to `onFailure`.
 */
export async function lastDrills(
  places: readonly ReportPlace[],
  signal: AbortSignal,
  onFailure: (place: string, error: BackupError) => void,
): Promise<Map<string, number>> {
  const last = new Map<string, number>();
  for (const { storage, prefix } of places) {
    try {
      for await (const { key } of storage.list(`${prefix}${DRILL_REPORT}_`, signal)) {
        const named = parseReportName(key.slice(prefix.length));
        if (named?.source !== undefined) last.set(named.source, Math.max(named.time, last.get(named.source) ?? 0));
      }
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toBackupError(thrown);
      if (error.code !== 'STORAGE_MISSING') onFailure(storage.name, error);
    }
  }
  return last;
}
