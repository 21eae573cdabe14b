import { readObject } from '../catalog/catalog.ts';
import { newestReportFirst, parseReportName } from '../catalog/report-names.ts';
import { PITR_DRILL_REPORT, type PitrDrillReport } from './pitr-drill-report.ts';
import type { ReportPlace } from './report-file.ts';

/** How fast a recovery has been, in bytes as they are on the disk of a server. */
export interface RecoveryRates {
  /** Fetching, extracting and checking. */
  readonly basePerSecond: number;
  /** Replaying. */
  readonly walPerSecond: number;
}

/** As the newest drill of `source` measured it; `undefined` where none can be read: it is but an estimate. */
export async function measuredRates(
  source: string,
  places: readonly ReportPlace[],
  signal: AbortSignal,
): Promise<RecoveryRates | undefined> {
  for (const { storage, prefix } of places) {
    try {
      const names: string[] = [];
      for await (const { key } of storage.list(`${prefix}${PITR_DRILL_REPORT}_`, signal)) {
        const name = key.slice(prefix.length);
        if (name.endsWith('.json') && (parseReportName(name)?.source ?? source) === source) names.push(name);
      }
      for (const name of names.sort(newestReportFirst)) {
        const says = JSON.parse((await readObject(storage, prefix + name, signal)).toString('utf8')) as Partial<PitrDrillReport>;
        if (says.source !== source || !says.newest) continue;
        const { bytes, seconds } = says.newest;
        if (seconds.fetch > 0 && seconds.replay > 0)
          return { basePerSecond: bytes.base / seconds.fetch, walPerSecond: bytes.wal / seconds.replay };
      }
    } catch {
      // The next place may have one.
      signal.throwIfAborted();
    }
  }
  return undefined;
}
