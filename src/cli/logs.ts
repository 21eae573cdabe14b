import { join } from 'node:path';
import { LOG_FILE } from '../log-file.ts';
import { secondsText, timeText } from '../quantities.ts';
import { recentReports, type RecentReport } from '../report/recent-reports.ts';
import type { CommandContext } from './command.ts';
import { followLines, lastLines, type LogLine } from './log-lines.ts';
import { printLines } from './terminal.ts';

/** What people call the jobs. */
export const LOG_JOBS: Readonly<Record<string, readonly string[]>> = {
  backup: ['nightly-backup'],
  restore: ['restore-drill', 'pitr-drill'],
  drill: ['restore-drill', 'pitr-drill'],
  cleanup: ['weekly-cleanup'],
  health: ['health-check'],
};
/** Without a job: what somebody who wants to know "what happened?" wants to see. Health has a report every hour. */
const JOBS = ['nightly-backup', 'weekly-cleanup', 'restore-drill', 'pitr-drill'];

export interface LogFlags {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly reports?: number;
}

/** The last reports of a job (or of all), and the last lines that the daemon logged; with `--follow` the lines that come, too. */
export async function logs(context: CommandContext, job: string | undefined, flags: LogFlags): Promise<number> {
  const { program, parts, chosen, config, terminal, json, signal, note, print } = context;
  const jobs = job === undefined ? undefined : LOG_JOBS[job]!;
  const path = config.paths.status === undefined ? undefined : join(config.paths.status, LOG_FILE);
  const source = chosen.length < program.sources.length ? config.source.name : undefined;
  const wanted = ({ fields = {} }: LogLine) =>
    (jobs === undefined || jobs.some((each) => each === fields['job'])) &&
    (source === undefined || fields['source'] === undefined || fields['source'] === source);
  const reports = await recentReports(
    { jobs: jobs ?? JOBS, count: flags.reports ?? 10, source },
    { reports: parts.reports, drills: parts.drillReports },
    (where, error) => note(`Warning: reports on ${where} cannot be read: ${error.message}`),
    signal,
  );
  const lines = path === undefined ? [] : await lastLines(path, flags.lines ?? 50, wanted);
  const told = [
    ...(reports.length === 0 ? ['No report yet.'] : reports.toReversed().flatMap(reportLines)),
    '',
    ...(lines.length === 0 ? [noLine(path)] : lines.map(lineText)),
  ];
  if (flags.follow !== true || path === undefined) {
    print({ reports, ...(path !== undefined && { log: path }), lines: lines.map(({ text, fields }) => fields ?? text) }, told);
    return 0;
  }
  const say = (texts: readonly string[]) => printLines(terminal.stdout, texts.map(config.redact));
  say(json ? lines.map(({ text }) => text) : told);
  for await (const line of followLines(path, signal)) if (wanted(line)) say([json ? line.text : lineText(line)]);
  return 0;
}

function noLine(path: string | undefined): string {
  if (path === undefined)
    return 'The daemon keeps no log file here: without a backup directory, BACKUP_REPORT_DIR has to name a folder for it.';
  return `No line in ${path}: the daemon has not logged anything of this yet.`;
}

function reportLines({ job, startedAt, outcome, label, durationSeconds, message, location }: RecentReport): string[] {
  const facts = [
    startedAt === '' ? '?' : timeText(new Date(startedAt)),
    job,
    outcome,
    ...(durationSeconds === undefined ? [] : [secondsText(durationSeconds)]),
    ...(label === undefined ? [] : [label]),
    location,
  ];
  return [facts.join('  '), ...(message === undefined ? [] : [`  ${message}`])];
}

/** `2026-01-01T02:00:00.000Z INFO nightly-backup: dump done  rows=5000 seconds=1.2` */
function lineText({ text, fields }: LogLine): string {
  if (!fields) return text;
  const { time, level, msg, job, err, ...rest } = fields;
  const facts = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const failure = typeof err === 'object' && err !== null && 'message' in err ? [`error=${String(err.message)}`] : [];
  return [
    `${textOf(time)} ${textOf(level).toUpperCase()} ${typeof job === 'string' ? `${job}: ` : ''}${textOf(msg)}`.trim(),
    ...facts,
    ...failure,
  ].join('  ');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
