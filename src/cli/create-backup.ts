import { BackupError } from '../errors.ts';
import type { BackupReport } from '../report/backup-report.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { bytesText, countText, secondsText } from '../quantities.ts';
import { factLines } from './table.ts';

/** Runs the nightly backup now: the same job with the same report. */
export async function createBackup({ parts, progress, signal, log, clock, print, note }: CommandContext): Promise<number> {
  const { summary, report, exitStatus, evidence } = await parts.nightlyBackup(progress).run({ signal, log, clock });
  progress.end(summary.error === undefined ? 'done' : 'failed');
  print(
    { ...summary, ...(report === undefined ? {} : { report }), ...(evidence && { evidence }) },
    summaryLines(summary, report),
  );
  if (report === undefined) note('Warning: no report of this run could be stored; --verbose shows why.');
  for (const warning of evidence?.warnings ?? []) note(`Warning: ${warning}`);
  if (evidence?.error) {
    const { code, message, hint } = evidence.error;
    const title = 'Error: this run is not in the evidence ledger';
    note(errorBlock(new BackupError(code, message, hint === undefined ? {} : { hint }), { title }));
  }
  const { error } = summary;
  if (error) note(errorBlock(new BackupError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })));
  return exitStatus;
}

function summaryLines(summary: BackupReport, report: string | undefined): string[] {
  const { label, sizes, tables, rows, codec, targets, durationSeconds, warnings } = summary;
  const stored = targets.filter(({ state }) => state === 'stored');
  const facts: [string, string][] = [];
  if (sizes) {
    facts.push(['tables', `${countText(tables.length)}, ${countText(rows ?? 0)} rows`]);
    facts.push(['size', `${bytesText(sizes.file)} (${codec?.name ?? ''}), ${bytesText(sizes.raw)} of SQL`]);
  }
  facts.push(['duration', secondsText(durationSeconds)]);
  for (const { target, state, location, error, repaired } of targets) {
    facts.push([
      target,
      state === 'stored' ? `${location ?? ''}${repaired ? ' (at the second attempt)' : ''}` : `no copy: ${error?.message ?? ''}`,
    ]);
  }
  for (const warning of warnings) facts.push(['warning', warning]);
  if (report !== undefined) facts.push(['report', report]);
  const title = stored.length > 0 ? `Backup ${label ?? ''} is stored.` : 'No backup was made.';
  return [title, ...factLines(facts)];
}
