import { readObject } from '../catalog/catalog.ts';
import { parseReportName } from '../catalog/report-names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportPlace } from '../report/report-file.ts';

/** What this reads of a report of a drill, of whatever version. */
interface DrillSays {
  readonly status?: unknown;
  readonly label?: unknown;
  readonly backup?: { readonly label?: unknown } | null;
}

/**
 * Labels of the backups that a drill has proven, over all places, apart from those that name another source. A report that cannot be fetched throws: it may be the one that names
 * the newest; one that is no JSON is told to `onOdd` and proves nothing. A place that does not exist has none, if another one does.
 */
export async function provenBackups(
  places: readonly ReportPlace[],
  isOurs: (source: string) => boolean,
  onOdd: (location: string) => void,
  signal?: AbortSignal,
): Promise<Set<string>> {
  const proven = new Set<string>();
  const absent: BackupError[] = [];
  for (const place of places) {
    try {
      for await (const label of provenIn(place, isOurs, onOdd, signal)) proven.add(label);
    } catch (thrown) {
      const error = toBackupError(thrown);
      if (error.code !== 'STORAGE_MISSING') throw error;
      absent.push(error);
    }
  }
  if (absent[0] && absent.length === places.length) throw absent[0];
  return proven;
}

async function* provenIn(
  { storage, prefix }: ReportPlace,
  isOurs: (source: string) => boolean,
  onOdd: (location: string) => void,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  for await (const { key } of storage.list(`${prefix}monthly_drill_`, signal)) {
    const source = parseReportName(key.slice(prefix.length))?.source;
    if (!key.endsWith('.json') || (source !== undefined && !isOurs(source))) continue;
    const bytes = await readObject(storage, key, signal);
    let says: DrillSays | null;
    try {
      says = JSON.parse(bytes.toString('utf8')) as DrillSays | null;
    } catch {
      onOdd(storage.location(key));
      continue;
    }
    const label = says?.backup?.label ?? says?.label;
    if (says?.status === 'success' && typeof label === 'string') yield label;
  }
}
