import type { BackupError, ErrorCode } from '../errors.ts';

/** `warn`: something to look at. `fail`: backups are not made, not kept or not provable as they should be. */
export type HealthVerdict = 'ok' | 'warn' | 'fail';

/** What is looked at, in the order in which it is told. */
export const CHECKS = [
  'database',
  'client programs',
  'clock',
  'target',
  'freshness',
  'copies',
  'proof',
  'recovery point',
  'last run',
  'backups',
  'sizes',
  'space',
  'permissions',
  'leftovers',
  'drill programs',
  'ledger',
  'replication',
  'wal stream',
  'wal at source',
  'commits',
  'wal copies',
  'base backup',
  'recovery proof',
  'alerts',
] as const;

export type CheckName = (typeof CHECKS)[number];

/** One thing that was looked at, and what is to be done about it. */
export interface HealthCheck {
  readonly check: CheckName;
  /** On what: the name of a target. Absent when there is only one of it. */
  readonly object?: string;
  readonly verdict: HealthVerdict;
  readonly says: string;
  /** What to do; always there unless `ok`. */
  readonly hint?: string;
  /** It could not be looked at. Never together with `ok`. */
  readonly unchecked?: true;
  /** Of the error that makes it fail. */
  readonly code?: ErrorCode;
}

type Subject = Pick<HealthCheck, 'check' | 'object'>;

export function ok(subject: Subject, says: string): HealthCheck {
  return { ...subject, verdict: 'ok', says };
}

export function warn(subject: Subject, says: string, hint: string): HealthCheck {
  return { ...subject, verdict: 'warn', says, hint };
}

export function fail(subject: Subject, says: string, hint: string): HealthCheck {
  return { ...subject, verdict: 'fail', says, hint };
}

/** What could not be looked at is not well: `warn` only where another check fails for the same reason, or nothing hangs on it. */
export function unchecked(subject: Subject, verdict: 'warn' | 'fail', error: BackupError): HealthCheck {
  const hint = error.hint ?? 'Look at the log of the daemon, and run `backup-manager health --verbose`.';
  return { ...subject, verdict, says: `could not be checked: ${error.message}`, hint, unchecked: true };
}

/** The worst of all; nothing that was looked at is not well either. */
export function worstOf(checks: readonly Pick<HealthCheck, 'verdict'>[]): HealthVerdict {
  if (checks.length === 0 || checks.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return checks.some(({ verdict }) => verdict === 'warn') ? 'warn' : 'ok';
}

/** In the order of {@link CHECKS}. */
export function inOrder(checks: readonly HealthCheck[]): HealthCheck[] {
  return [...checks].sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check));
}
