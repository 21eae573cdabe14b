import type { Verdict } from './check.ts';

export const PHASES = [
  'fetch',
  'preflight',
  'restore',
  'equality',
  'health',
  'assertions',
  'negative control',
  'clean-up',
] as const;

export type PhaseName = (typeof PHASES)[number];

/** Those of a drill of point-in-time recovery that prove something, in order. */
export const PITR_PROOFS = ['choose', 'recover', 'commits', 'health', 'assertions', 'page checksums', 'newest'] as const;

/** `skipped`: what it would have looked at does not exist, because a phase before it did not get that far. */
export type PhaseVerdict = Verdict | 'skipped';

export type DrillStatus = 'success' | 'failure' | 'inconclusive';

/** A phase of every drill. What is left behind is told, and is no reason to doubt what was proven before. */
export const CLEAN_UP = 'clean-up';

/**
 * `success` only when every phase that proves something passed; `failure` when one of them failed. Everything else, a phase that
 * is missing or was skipped included, is `inconclusive`: could not check.
 */
export function statusOf(verdicts: ReadonlyMap<string, PhaseVerdict>, phases: readonly string[] = PHASES): DrillStatus {
  const proof = phases.filter((name) => name !== CLEAN_UP).map((name) => verdicts.get(name));
  if (proof.includes('failed')) return 'failure';
  return proof.every((verdict) => verdict === 'passed') ? 'success' : 'inconclusive';
}

/** 0 all is proven and in time, 1 failure, 2 inconclusive, 3 proven but a target of RPO or RTO is missed. */
export function exitStatusOf(status: DrillStatus, targetsMet: boolean): number {
  if (status === 'failure') return 1;
  if (status === 'inconclusive') return 2;
  return targetsMet ? 0 : 3;
}
