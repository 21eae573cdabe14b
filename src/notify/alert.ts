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

export interface Problem extends ProblemKey {
  /** One sentence: what is wrong. */
  readonly summary: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Label, report and other facts, by name. */
  readonly facts?: Readonly<Record<string, string>>;
}

export type Severity = 'critical' | 'error' | 'warning';

/** What is told to people: a problem, that it is over, or a test of the way to them. */
export interface Alert extends Problem {
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

/** One line for people. */
export function titleOf({ status, source, job, kind, object, summary }: Alert): string {
  if (status === 'test') return `Test: alerts of db-backup for ${source} arrive here`;
  if (status === 'recovery') return `Recovered: ${job} of ${source} (${object ?? kind})`;
  return `${job} of ${source}: ${summary}`;
}

/** The whole alert for people, line by line. */
export function linesOf(alert: Alert): string[] {
  const { status, summary, hint, facts = {}, since, at, times } = alert;
  if (status === 'test') return ['Nothing is wrong. Somebody ran: backup-manager notify --test'];
  const lines = status === 'recovery' ? [`It is over since ${at}. It was: ${summary}`] : [summary];
  if (status === 'problem' && hint !== undefined) lines.push(`What to do: ${hint}`);
  lines.push(`First seen: ${since}${times > 1 ? `, ${times} times since, last ${at}` : ''}`);
  for (const [name, value] of Object.entries(facts)) lines.push(`${name}: ${value}`);
  return lines;
}
