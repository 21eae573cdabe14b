/** What one check of a drill says. `inconclusive`: it could not be made, which is never a pass. */
export type Verdict = 'passed' | 'failed' | 'inconclusive';

/** One thing that is wrong, or that could not be looked at, for a person who has to act on it. */
export interface Finding {
  /** As a person writes it: `sales.orders`, `sequence sales.orders_id_seq`, `extension postgis`. */
  readonly object: string;
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

/** Outcome of one phase of a drill. */
export interface CheckResult {
  readonly verdict: Verdict;
  /** Why it is not `passed`; for a pass, what is worth knowing all the same. */
  readonly findings: readonly Finding[];
}

/** Findings on their way to a result: what is wrong, what could not be looked at, and what is worth knowing all the same. */
export interface Findings {
  readonly failed: Finding[];
  readonly unsure: Finding[];
  readonly notes: Finding[];
}

export function noFindings(): Findings {
  return { failed: [], unsure: [], notes: [] };
}

/** `failed` if anything is wrong, else `inconclusive` if anything could not be checked; what is wrong comes first. */
export function resultOf({ failed, unsure, notes }: Findings): CheckResult {
  const verdict = failed.length > 0 ? 'failed' : unsure.length > 0 ? 'inconclusive' : 'passed';
  return { verdict, findings: [...failed, ...unsure, ...notes] };
}
