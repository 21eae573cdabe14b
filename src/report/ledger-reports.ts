import { resolve } from 'node:path';
import { readIfThere } from './ledger-file.ts';
import type { LedgerEntry } from './ledger-entry.ts';
import type { Break } from './ledger-chain.ts';
import { sha256Of } from './ledger-line.ts';

export interface ReportsVerdict {
  readonly breaks: Break[];
  readonly notes: string[];
  readonly checked: number;
  /** Gone, as a later entry says. */
  readonly removed: number;
}

/** The reports on disk that `entries` name: there and unchanged, or removed by a clean-up that said so in one of `all`. */
export async function checkReports(
  folder: string,
  entries: readonly LedgerEntry[],
  all: readonly LedgerEntry[],
  signal: AbortSignal,
): Promise<ReportsVerdict> {
  const removedBy = new Map(
    all.flatMap((entry) => (entry.kind === 'reports removed' ? entry.files.map((file) => [file, entry.number] as const) : [])),
  );
  const breaks: Break[] = [];
  const elsewhere: string[] = [];
  let [checked, removed] = [0, 0];
  for (const entry of entries) {
    signal.throwIfAborted();
    if (entry.kind !== 'job' || !entry.report) continue;
    const { file, sha256 } = entry.report;
    if (/^[a-z][a-z0-9+.-]*:/.test(file)) {
      elsewhere.push(file);
      continue;
    }
    const bytes = await readIfThere(resolve(folder, file));
    if (!bytes && (removedBy.get(file) ?? 0) > entry.number) {
      removed += 1;
      continue;
    }
    checked += 1;
    if (!bytes) {
      breaks.push({
        line: entry.number,
        what: `its report ${file} is missing`,
        means: 'somebody removed it: no entry says that a clean-up did',
      });
    } else if (sha256Of(bytes) !== sha256) {
      breaks.push({
        line: entry.number,
        what: `its report ${file} has the SHA-256 ${sha256Of(bytes)}, not ${sha256}`,
        means: 'the report was changed after the run',
      });
    }
  }
  const notes =
    elsewhere.length === 0 ? [] : [`${elsewhere.length} report(s) are not on this disk and were not checked: ${elsewhere[0]}`];
  return { breaks, notes, checked, removed };
}
