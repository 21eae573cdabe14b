import type { ErrorCode } from '../errors.ts';
import type { CheckName, HealthCheck } from '../health/check.ts';
import type { Cause } from '../notify/alert.ts';
import type { JobOutcome } from './job.ts';

/** What a source depends on together with others; what it has for itself alone is not there. */
export interface SharedCauses {
  readonly server?: Cause;
  readonly machine?: Cause;
  /** All its targets. */
  readonly targets?: Cause | undefined;
  readonly target: (name: string) => Cause | undefined;
}

const OF_TARGETS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'STORAGE_UNAVAILABLE',
  'STORAGE_MISSING',
  'STORAGE_DENIED',
  'STORAGE_FULL',
  'STORAGE_READ_ONLY',
  'STORAGE_NO_TARGET',
]);

const OF_MACHINE: ReadonlySet<CheckName> = new Set<CheckName>(['permissions', 'drill programs', 'ledger', 'alerts']);

/** What comes of a server that is down, and lasts until the next backup. */
const CONSEQUENCES: ReadonlySet<CheckName> = new Set<CheckName>(['freshness', 'copies', 'last run']);

/** What a run failed for, if it is nothing of the source's own. */
export function causeOf({ error, lacking }: JobOutcome, shared: SharedCauses): Cause | undefined {
  if (lacking !== undefined) return lacking.length === 1 ? shared.target(lacking[0]!) : shared.targets;
  if (error?.code === 'SOURCE_UNREACHABLE') return shared.server;
  return error && OF_TARGETS.has(error.code) ? shared.targets : undefined;
}

/** The same for one of the checks of a look. */
export function causeOfCheck(
  { check, object = '' }: HealthCheck,
  checks: readonly HealthCheck[],
  shared: SharedCauses,
): { readonly cause?: Cause | undefined; readonly follows?: true } {
  const isDown = checks.some((each) => each.check === 'database' && each.code === 'SOURCE_UNREACHABLE');
  if (CONSEQUENCES.has(check)) return { ...(isDown && { cause: shared.server }), follows: true };
  if (check === 'database') return { ...(isDown && { cause: shared.server }) };
  if (check === 'target' || check === 'space') return { cause: shared.target(object) };
  return OF_MACHINE.has(check) ? { cause: shared.machine } : {};
}
