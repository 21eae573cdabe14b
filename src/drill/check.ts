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
