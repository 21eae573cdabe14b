import type { DrillRequest } from '../jobs/drill-parts.ts';
import type { DrillReport } from '../report/drill-report.ts';
import { BackupError } from '../errors.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { countText, secondsText } from '../quantities.ts';
import { factLines, tableLines } from './table.ts';

/** Tables that are listed; the report has all. */
const LISTED = 20;
const MARKS = { passed: 'passed', failed: 'FAILED', inconclusive: 'could not check', skipped: 'not reached' } as const;
const TITLES: Record<DrillReport['status'], string> = {
  success: 'Success: the backup restores, and equals its source.',
  failure: 'FAILURE: the backup did not pass the drill.',
  inconclusive: 'Inconclusive: something could not be checked, so that nothing is proven.',
};

/** Restores the newest backup into a throw-away server and proves what it is worth: the same job as the schedule starts. */
export async function monthlyDrill(context: CommandContext, request: DrillRequest): Promise<number> {
  const { parts, progress, signal, log, clock, print, note } = context;
  const { summary, report, page, exitStatus } = await parts.restoreDrill(request, progress).run({ signal, log, clock });
  // The verdicts are told below: the bar only says that the last phase was gone through.
  progress.end(summary.error === undefined ? 'done' : 'failed');
  print({ ...summary, exitStatus, ...(report !== undefined && { report }), ...(page !== undefined && { page }) }, [
    ...tablesLines(summary),
    ...phaseLines(summary),
    '',
    TITLES[summary.status],
    ...factLines(facts(summary, report, page)),
  ]);
  if (report === undefined) note('Warning: no report of this drill could be stored; --verbose shows why.');
  const { error } = summary;
  if (error) note(errorBlock(new BackupError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint })));
  return exitStatus;
}

/** The proof: what differs first. */
function tablesLines({ tables }: DrillReport): string[] {
  if (tables.length === 0) return [];
  const sorted = [...tables].sort((a, b) => Number(a.equal) - Number(b.equal));
  const rows = sorted
    .slice(0, LISTED)
    .map(({ schema, name, expected, found, equal }) => [
      `${schema}.${name}`,
      countText(expected.rows),
      found ? countText(found.rows) : '-',
      found?.digest ?? '-',
      equal ? 'equal' : 'NOT EQUAL',
    ]);
  const more = sorted.length > LISTED ? [`… and ${countText(sorted.length - LISTED)} more, in the report`] : [];
  return [...tableLines(['TABLE', 'EXPECTED', 'FOUND', 'DIGEST OF ALL ROWS', ''], rows, [1, 2]), ...more, ''];
}

function phaseLines({ phases }: DrillReport): string[] {
  return phases.flatMap(({ name, verdict, seconds, findings }) => {
    const line = `  ${name.padEnd(18)}${MARKS[verdict]}`;
    if (verdict === 'skipped') return [line];
    return [
      `${line.padEnd(37)}${secondsText(seconds).padStart(8)}`,
      ...findings.flatMap(({ object, message, hint }, at) => [
        `      ${object}: ${message}`,
        // One piece of advice for several findings is given once, after the last of them.
        ...(hint === undefined || verdict === 'passed' || findings[at + 1]?.hint === hint ? [] : [`        What to do: ${hint}`]),
      ]),
    ];
  });
}

function facts(summary: DrillReport, report: string | undefined, page: string | undefined): [string, string][] {
  const { backup, compliance, worst_case: worst, restores, restoredInto = 'a throw-away server' } = summary;
  const against = (value: number | null, target: number, compliant: boolean) =>
    `${minutes(value)} (target ${minutes(target)}): ${compliant ? 'met' : 'MISSED'}`;
  const lines: [string, string][] = [];
  const { tables } = summary;
  if (tables.length > 0) {
    const equal = tables.filter((table) => table.equal);
    const rows = equal.reduce((sum, { expected }) => sum + expected.rows, 0);
    lines.push(['equal', `${countText(equal.length)} of ${countText(tables.length)} tables, with ${countText(rows)} rows`]);
  }
  if (backup) lines.push(['backup', `${backup.label} from ${backup.target} (${backup.targetReason})`]);
  for (const { way, seconds } of restores) {
    lines.push([
      'restored',
      `${way === 'plain' ? `with ${backup?.codec === 'zstd' ? 'zstd' : 'gunzip'} and psql alone` : 'by the engine'} in ${secondsText(seconds)}, into ${restoredInto}`,
    ]);
  }
  const { rpoTargetMinutes, rtoTargetMinutes } = compliance;
  lines.push(
    ['recovery point', against(summary.backup_age_minutes, rpoTargetMinutes, summary.rpo_compliant)],
    ['recovery time', against(summary.restore_duration_minutes, rtoTargetMinutes, summary.rto_compliant)],
    ['worst case', worst === null ? 'not known' : `${minutes(worst.minutes)} without a new backup`],
  );
  for (const { message, remedy } of compliance.hopeless) lines.push(['by schedule', message], ['remedy', remedy]);
  for (const warning of [...compliance.notes, ...summary.warnings]) lines.push(['warning', warning]);
  if (report !== undefined) lines.push(['report', report]);
  if (page !== undefined) lines.push(['page', page]);
  return lines;
}

function minutes(value: number | null): string {
  return value === null ? 'not known' : secondsText(value * 60);
}
