/** What can be wrong with a job of a source. Each kind stands for itself: it comes up, is told, and is over. */
export const PROBLEM_KINDS = [
  'configuration',
  'failure',
  'incomplete',
  'inconclusive',
  'missed',
  'stall',
  'rpo',
  'rto',
  'unhealthy',
] as const;
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

/** What a problem is known by: it is told once, however often it is seen. */
export interface ProblemKey {
  readonly source: string;
  readonly job: string;
  readonly kind: ProblemKind;
  /** Which of several of one kind: the name of a health check. */
  readonly object?: string;
}

/** What is well again, or is over for another reason. */
export interface Ended extends ProblemKey {
  /** Why nobody looks at it any more; absent when it was looked at and is well. */
  readonly why?: string;
}

/** What several sources depend on, and is wrong for all of them when it is for one. */
export interface Cause {
  /** `server db1:5432`, `target s3 (bucket backups)`. It stands for the source in what the problem is known by. */
  readonly name: string;
  /** All sources that depend on it. */
  readonly sources: readonly string[];
}

export interface Problem extends ProblemKey {
  /** One sentence: what is wrong. */
  readonly summary: string;
  /** Where it comes from, if that is nothing of the source's own: then it is one problem for all that depend on it. */
  readonly cause?: Cause;
  /** It outlasts its cause: it stays a part of the problem that it came up with. */
  readonly follows?: true;
  /** What to do about it. */
  readonly hint?: string;
  /** Label, report and other facts, by name. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** Of a problem with a cause. */
export interface SharedBy {
  /** All sources that depend on what is wrong. */
  readonly concerns: readonly string[];
  /** Those of them in which it was seen, and is not over. */
  readonly seenIn: readonly string[];
}

export type Severity = 'critical' | 'error' | 'warning';

/** What is told to people: a problem, that it is over, or a test of the way to them. */
export interface Alert extends Omit<Problem, 'cause' | 'follows'>, Partial<SharedBy> {
  readonly status: 'problem' | 'recovery' | 'test';
  /** The same however often delivery is tried, so that a receiver can tell a second copy; no two alerts have the same. */
  readonly id: string;
  readonly severity: Severity;
  /** When it was first seen. ISO 8601, UTC. */
  readonly since: string;
  /** When it was last seen or, of a recovery, when it was over. */
  readonly at: string;
  /** How often it was seen since then. */
  readonly times: number;
  /** Of a recovery: why nobody looks at it any more; absent when it is well. */
  readonly endedBy?: string;
}

const SEVERITY: Readonly<Record<ProblemKind, Severity>> = {
  configuration: 'critical',
  failure: 'critical',
  incomplete: 'warning',
  inconclusive: 'error',
  missed: 'error',
  stall: 'error',
  rpo: 'error',
  rto: 'error',
  unhealthy: 'error',
};

export function severityOf(kind: ProblemKind): Severity {
  return SEVERITY[kind];
}

export function keyParts({ source, job, kind, object }: ProblemKey): string[] {
  return [source, job, kind, ...(object === undefined ? [] : [object])];
}

/** One text for a problem's key, for receivers that put alerts of one problem together. */
export function keyText(key: ProblemKey): string {
  return ['db-backup', ...keyParts(key)].map(encodeURIComponent).join('/');
}

/** How many sources are named. */
const NAMED_IN_TITLE = 3;
const NAMED = 20;

/** One line for people. */
export function titleOf({ status, source, job, kind, object, summary, concerns, endedBy }: Alert): string {
  if (status === 'test') return `Test: alerts of db-backup for ${source} arrive here`;
  const subject = concerns ? `${source} (${namesOf(concerns, NAMED_IN_TITLE)})` : source;
  if (status === 'recovery') {
    return `${endedBy === undefined ? 'Recovered' : 'Not looked at any more'}: ${job} of ${subject} (${object ?? kind})`;
  }
  return `${job} of ${subject}: ${summary}`;
}

/** How many sources there are, and the first of them. */
function namesOf(sources: readonly string[], named: number): string {
  const more = sources.length > named ? ` and ${sources.length - named} more` : '';
  return `${sources.length === 1 ? '1 source' : `${sources.length} sources`}: ${sources.slice(0, named).join(', ')}${more}`;
}

/** The whole alert for people, line by line. */
export function linesOf(alert: Alert): string[] {
  const { status, summary, hint, facts = {}, since, at, times, concerns, seenIn = [], endedBy } = alert;
  if (status === 'test') return ['Nothing is wrong. Somebody ran: backup-manager notify --test'];
  const lines =
    status === 'recovery'
      ? [`It is over since ${at}${endedBy === undefined ? '' : `: ${endedBy}`}. It was: ${summary}`]
      : [summary];
  if (status === 'problem' && hint !== undefined) lines.push(`What to do: ${hint}`);
  if (concerns) lines.push(`Depend on it: ${namesOf(concerns, NAMED)}`);
  if (seenIn.length > 0) lines.push(`Seen in ${namesOf(seenIn, NAMED)}; others are not told one by one.`);
  lines.push(`First seen: ${since}${times > 1 ? `, ${times} times since, last ${at}` : ''}`);
  for (const [name, value] of Object.entries(facts)) lines.push(`${name}: ${value}`);
  return lines;
}
