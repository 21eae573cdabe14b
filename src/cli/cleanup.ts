import { BackupError } from '../errors.ts';
import type { CleanupReport, DecisionReport } from '../report/cleanup-report.ts';
import type { CommandContext } from './command.ts';
import { forEachSource, type Done } from './each-source.ts';
import { errorBlock } from './error-block.ts';
import { bytesText, countText } from '../quantities.ts';
import { tableLines } from './table.ts';

/** Runs the weekly clean-up of each source that was asked for, in turn, or shows what it would do. */
export function cleanups(context: CommandContext, dryRun: boolean): Promise<number> {
  return forEachSource(context, 'cleanups', (each) => cleanup(each, dryRun));
}

async function cleanup({ parts, progress, signal, log, clock, note }: CommandContext, dryRun: boolean): Promise<Done> {
  const job = parts.weeklyCleanup();
  progress.phase(dryRun ? 'look at what would go' : 'clean up');
  const context = { signal, log, clock };
  const { summary, report, exitStatus } = dryRun ? await job.preview(context) : await job.run(context);
  const { error } = summary;
  progress.end(error === undefined ? 'done' : 'failed');
  return {
    value: { ...summary, ...(report === undefined ? {} : { report }) },
    lines: [...summaryLines(summary), ...(report === undefined ? [] : ['', `Report: ${report}`])],
    exitStatus,
    tell: () => {
      if (!dryRun && report === undefined) note('Warning: no report of this run could be stored; --verbose shows why.');
      if (error)
        note(errorBlock(new BackupError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })));
    },
  };
}

/** What goes and what stays, each with its reasons, and the rest in a few lines. */
export function summaryLines(summary: CleanupReport): string[] {
  const { backups, blocks, unconfigured, dryRun, removed, swept, reports, scrub, warnings } = summary;
  const rows = backups.map((backup) => [backup.target, backup.label, fate(backup, dryRun), why(backup)]);
  const checked = scrub.flatMap(({ target, checked: copies }) => copies.map((copy) => ({ target, ...copy })));
  const damaged = checked.filter(({ verdict }) => verdict === 'damaged' || verdict === 'unchecked');
  return [
    ...(rows.length === 0
      ? ['Nothing that is stored was looked at, or there is nothing.']
      : tableLines(['TARGET', 'LABEL', '', 'WHY'], rows)),
    '',
    ...blocks.map(({ source, target, says }) => `Nothing of ${source} goes from ${target}: ${says}.`),
    ...(unconfigured.length > 0 ? [`Not configured, so nothing of theirs goes: ${unconfigured.join(', ')}.`] : []),
    dryRun ? foreseen(backups) : `Removed ${countText(removed.copies)} copies (${bytesText(removed.bytes)}).`,
    ...(swept.length > 0 ? [`Swept ${countText(swept.length)} leftovers of killed runs.`] : []),
    ...(reports.removed.length > 0
      ? [`Old reports ${dryRun ? 'to be removed' : 'removed'}: ${countText(reports.removed.length)}.`]
      : []),
    ...scrub.map(
      ({ target, readBytes, checked: copies, neverChecked }) =>
        `Re-read ${bytesText(readBytes)} of ${countText(copies.length)} backups on ${target}; ${countText(neverChecked)} were never read to the end.`,
    ),
    ...damaged.map(
      ({ target, label, verdict, problems, repairedFrom, error }) =>
        `${label} on ${target}: ${verdict}${repairedFrom === undefined ? '' : `, mended from ${repairedFrom}`} (${error?.message ?? problems.join('; ')})`,
    ),
    ...warnings.map((warning) => `Warning: ${warning}`),
  ];
}

function foreseen(backups: readonly DecisionReport[]): string {
  const going = backups.filter(({ action }) => action === 'remove');
  const bytes = going.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  return `A clean-up now would remove ${countText(going.length)} copies (${bytesText(bytes)}). Nothing was changed.`;
}

function fate({ action, result }: DecisionReport, dryRun: boolean): string {
  if (action === 'keep') return 'stays';
  return dryRun ? 'goes' : (result ?? 'not done');
}

function why({ reasons, lockedUntil, legalHold, oldVersionsStay, error }: DecisionReport): string {
  return [
    ...reasons.map(({ says }) => says),
    ...(lockedUntil === undefined ? [] : [`the target locks it until ${lockedUntil}`]),
    ...(legalHold === true ? ['a legal hold is on it'] : []),
    ...(oldVersionsStay === true ? ['the bucket keeps it as an old version'] : []),
    ...(error === undefined ? [] : [error.message]),
  ].join('; ');
}
