import { ageText, durationText, timeText } from '../quantities.ts';
import { tableLines } from './table.ts';

/** So many sources have a line each; of more, only those that need a look have one, up to `LOOKS`. */
const EACH = 12;
const LOOKS = 6;
/** Problems, slots and names that are told one by one. */
const LISTED = 3;

/** How one source stands. */
export interface Standing {
  readonly source: string;
  readonly problems: readonly unknown[];
  /** When its newest good backup was begun. */
  readonly newest?: Date;
  readonly provenAt?: Date;
  /** What would be lost now. */
  readonly lossMs?: number;
  readonly rpoMs: number;
  /** How long the restore of the newest proven one took. */
  readonly restoreMs?: number;
  readonly rtoMs: number;
  /** Since when it can be recovered. */
  readonly since?: Date;
  readonly next?: Date;
  /** Outcome of the last backup. */
  readonly lastRun?: string;
}

export interface Screen {
  readonly rows: readonly Standing[];
  readonly problems: readonly string[];
  /** Slots that had no run. */
  readonly passedOver: readonly string[];
  /** Databases that are not there any more. */
  readonly gone: readonly string[];
}

const HEAD = ['SOURCE', 'STATE', 'NEWEST GOOD', 'PROVEN', 'RPO', 'RTO', 'RECOVERABLE SINCE', 'NEXT BACKUP', 'LAST RUN'];

/**
 * How several sources stand, on one screen however many they are: what needs a look comes first, and what is well shares a line that
 * tells the worst of each column. With `all`, a line for each.
 */
export function statusScreen({ rows, problems, passedOver, gone }: Screen, all: boolean, now: Date): string[] {
  const well = rows.filter((row) => row.problems.length === 0);
  const looks = rows.filter((row) => row.problems.length > 0).sort(worstFirst);
  const isShort = all || rows.length <= EACH;
  const shown = isShort ? [...looks, ...[...well].sort(worstFirst)] : looks.slice(0, LOOKS);
  const together = isShort || well.length === 0 ? [] : [cellsOfAll(well, now)];
  const listed = all ? Infinity : LISTED;
  return [
    problems.length === 0
      ? `All is well with ${rows.length} sources.`
      : `Attention: ${well.length} of ${rows.length} sources are well.`,
    ...tableLines(HEAD, [...shown.map((row) => cellsOf(row, now)), ...together]),
    ...(isShort ? [] : more(looks.length - shown.length, 'sources that need a look')),
    ...(together.length > 0 ? ['  The others in one line: the worst of each column (--all has a line for each).'] : []),
    ...problems.slice(0, listed).map((message) => `Attention: ${message}`),
    ...more(problems.length - listed, 'problems'),
    ...passedOver.slice(0, listed),
    ...more(passedOver.length - listed, 'slots without a run'),
    ...(gone.length > 0
      ? [`No longer there, backups kept: ${gone.slice(0, listed).join(', ')}`, ...more(gone.length - listed, 'databases')]
      : []),
  ];
}

function worstFirst(a: Standing, b: Standing): number {
  return b.problems.length - a.problems.length || (a.source < b.source ? -1 : 1);
}

function more(count: number, of: string): string[] {
  return count > 0 ? [`… and ${count} more ${of} (--all has all, --source NAME one in full)`] : [];
}

function cellsOf(row: Standing, now: Date): string[] {
  const { source, problems, newest, provenAt, rpoMs, rtoMs, since, next } = row;
  return [
    source,
    problems.length > 0 ? 'LOOK' : 'well',
    newest ? `${ageText(newest, now)} ago` : 'none',
    provenAt ? `${ageText(provenAt, now)} ago` : 'never',
    `${ofTarget(row.lossMs)} of ${durationText(rpoMs)}`,
    `${ofTarget(row.restoreMs)} of ${durationText(rtoMs)}`,
    since ? timeText(since) : '-',
    next ? timeText(next) : 'never',
    row.lastRun ?? '-',
  ];
}

function cellsOfAll(rows: readonly Standing[], now: Date): string[] {
  const unproven = rows.filter(({ provenAt }) => provenAt === undefined).length;
  const runs = [...new Set(rows.map(({ lastRun }) => lastRun ?? '-'))];
  const worst: Standing = {
    ...{ source: `${rows.length} others`, problems: [] },
    ...least('newest', rows),
    ...least('provenAt', rows),
    ...most('since', rows),
    ...least('next', rows),
    ...greatest('lossMs', rows),
    ...greatest('restoreMs', rows),
    rpoMs: Math.min(...rows.map(({ rpoMs }) => rpoMs)),
    rtoMs: Math.min(...rows.map(({ rtoMs }) => rtoMs)),
    lastRun: runs.join(', '),
  };
  return cellsOf(worst, now).map((cell, at) => (HEAD[at] === 'PROVEN' && unproven > 0 ? `${unproven} never` : cell));
}

function ofTarget(ms: number | undefined): string {
  return ms === undefined ? '?' : durationText(ms);
}

function least(name: 'newest' | 'provenAt' | 'next', rows: readonly Standing[]): Partial<Standing> {
  return picked(name, rows, (times) => new Date(Math.min(...times.map(Number))));
}

function most(name: 'since', rows: readonly Standing[]): Partial<Standing> {
  return picked(name, rows, (times) => new Date(Math.max(...times.map(Number))));
}

function greatest(name: 'lossMs' | 'restoreMs', rows: readonly Standing[]): Partial<Standing> {
  return picked(name, rows, (lengths) => Math.max(...lengths));
}

function picked<N extends keyof Standing>(
  name: N,
  rows: readonly Standing[],
  pick: (values: NonNullable<Standing[N]>[]) => NonNullable<Standing[N]>,
): Partial<Standing> {
  const values = rows.flatMap((row) => row[name] ?? []) as NonNullable<Standing[N]>[];
  return values.length === 0 ? {} : { [name]: pick(values) };
}
