import { BackupError } from '../errors.ts';
import type { BackupReport } from '../report/backup-report.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { forEachSource, type Done } from './each-source.ts';
import { bytesText, countText, secondsText } from '../quantities.ts';
import { factLines } from './table.ts';

/** Runs the nightly backup now: the same job with the same report. */
async function createBackup(context: CommandContext): Promise<Done> {
  const { parts, progress, signal, log, clock, note } = context;
  const { summary, report, exitStatus, evidence } = await parts.nightlyBackup(progress).run({ signal, log, clock });
  progress.end(summary.error === undefined ? 'done' : 'failed');
  const warnings = evidence?.warnings ?? [];
  return {
    value: { ...summary, ...(report === undefined ? {} : { report }), ...(evidence && { evidence }) },
    lines: summaryLines(summary, report),
    exitStatus,
    tell: () => {
      if (report === undefined) note('Warning: no report of this run could be stored; --verbose shows why.');
      for (const warning of warnings) note(`Warning: ${warning}`);
      for (const [error, title] of [
        [evidence?.error, 'Error: this run is not in the evidence ledger'],
        [summary.error, 'Error'],
      ] as const) {
        if (!error) continue;
        const { code, message, hint } = error;
        note(errorBlock(new BackupError(code, message, hint === undefined ? {} : { hint }), { title }));
      }
    },
  };
}

/** A backup of each source that was asked for, in turn; one that fails stops no other. */
export function createBackups(context: CommandContext): Promise<number> {
  return forEachSource(context, 'backups', createBackup);
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
