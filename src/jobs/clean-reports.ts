import { readObject } from '../catalog/catalog.ts';
import { parseDumpName } from '../catalog/names.ts';
import { parseReportName } from '../catalog/report-names.ts';
import { CODECS } from '../codec/codec.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { ReportsReport } from '../report/cleanup-report.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { planReports, type ReportRules, type ReportToRemove } from '../retention/reports.ts';
import type { Storage } from '../storage/storage.ts';

/** What a report that tells of no trouble says of itself. */
const FINE = ['success', 'ok', 'healthy'];

export interface CleanReportsOptions {
  readonly places: readonly ReportPlace[];
  /** Whether the reports of a source, and of the drills of its backups, are looked after by another clean-up. */
  readonly elsewhere: (source: string) => boolean;
  readonly rules: ReportRules;
  /** Labels of the backups that are still stored: what proves one of them stays. */
  readonly stored: ReadonlySet<string>;
  readonly now: Date;
  readonly dryRun: boolean;
  /** Called before anything is removed; when it throws, nothing is. */
  readonly record: ((locations: readonly string[], why: string) => Promise<void>) | undefined;
  /** A place could not be cleaned, or not wholly; that ends nothing. */
  readonly onFailure: (where: string, error: BackupError) => void;
}

/** Removes reports that are due to go, each noted in the ledger before. Throws only when aborted. */
export async function cleanReports(options: CleanReportsOptions, signal: AbortSignal): Promise<ReportsReport> {
  const { rules, now, dryRun, record } = options;
  const removed: ReportsReport['removed'][number][] = [];
  let kept = 0;
  for (const { storage, prefix } of options.places) {
    try {
      const names: string[] = [];
      for await (const { key } of storage.list(prefix, signal)) {
        const name = key.slice(prefix.length);
        const parsed = name.includes('/') ? undefined : parseReportName(name);
        if (parsed && (parsed.source === undefined || !options.elsewhere(parsed.source))) names.push(name);
      }
      const due: ReportToRemove[] = [];
      for (const each of planReports(names, rules, now.getTime())) {
        if (!(await mustStay(storage, prefix + each.name, each))) due.push(each);
      }
      kept += names.length;
      for (const rule of ['years', 'hourly'] as const) {
        const group = due.filter((each) => each.rule === rule);
        if (group.length === 0) continue;
        const locations = group.map(({ name }) => storage.location(prefix + name));
        if (!dryRun) await record?.(locations, group[0]!.says);
        for (const [at, { name, says }] of group.entries()) {
          if (!dryRun) await storage.remove(prefix + name, signal);
          removed.push({ location: locations[at]!, rule, says });
          kept -= 1;
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      const failure = toBackupError(error);
      // A folder that no report was ever written to.
      if (failure.code === 'STORAGE_MISSING') continue;
      options.onFailure(storage.location(prefix === '' ? 'reports' : prefix.slice(0, -1)), failure);
    }
  }
  return { kept, removed };

  async function mustStay(storage: Storage, key: string, { rule, name }: ReportToRemove): Promise<boolean> {
    const found = await storage.protection?.(key, signal);
    if (found && (found.legalHold || (found.lockedUntil !== undefined && found.lockedUntil > now))) return true;
    const isDrill = parseReportName(name)?.kind === 'monthly_drill';
    if (rule === 'years' && !isDrill) return false;
    const says = await readSays(storage, key.replace(/\.html$/, '.json'));
    if (isDrill) {
      const label = says?.backup?.label;
      if (typeof label !== 'string') return false;
      return options.stored.has(label) || options.elsewhere(parseDumpName(`${label}${CODECS.gzip.extension}`)?.source ?? '');
    }
    const state = says?.outcome ?? says?.status;
    return typeof state !== 'string' || !FINE.includes(state);
  }

  async function readSays(storage: Storage, key: string): Promise<ReportSays | undefined> {
    try {
      return (JSON.parse((await readObject(storage, key, signal)).toString('utf8')) as ReportSays | null) ?? undefined;
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
}

interface ReportSays {
  readonly outcome?: unknown;
  readonly status?: unknown;
  readonly backup?: { readonly label?: unknown } | null;
}
