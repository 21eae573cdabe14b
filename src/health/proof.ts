import type { BackupError } from '../errors.ts';
import { ageText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A drill a month, and some days for one that has to be repeated. */
const LIMIT_MS = 35 * DAY_MS;

export interface ProofInput {
  /** The newest drill that proved one. */
  readonly newest: { readonly label: string; readonly at: Date } | undefined;
  /** Since when there is something to prove, as far as that is known. */
  readonly first: Date | undefined;
  readonly now: Date;
}

/** Whether it was proven lately that a backup restores. */
export function checkProof(input: ProofInput | BackupError): HealthCheck {
  return checkDrills(input, {
    subject: { check: 'proof' },
    nothing: 'no drill has proven that a backup restores',
    hint: 'Run `backup-manager monthly-drill`, and see what it says.',
  });
}

/** Whether it was proven lately that the server is recovered to an instant. */
export function checkRecoveryProof(input: ProofInput | BackupError): HealthCheck {
  return checkDrills(input, {
    subject: { check: 'recovery proof' },
    nothing: 'no drill has proven a recovery to an instant',
    hint: 'Run `backup-manager monthly-drill --pitr`, and see what it says.',
  });
}

interface Wording {
  readonly subject: Pick<HealthCheck, 'check'>;
  readonly nothing: string;
  readonly hint: string;
}

function checkDrills(input: ProofInput | BackupError, { subject, nothing, hint }: Wording): HealthCheck {
  if (input instanceof Error) return unchecked(subject, 'fail', input);
  const { newest, first, now } = input;
  if (!newest) {
    const young = first === undefined || now.getTime() - first.getTime() <= LIMIT_MS;
    return young ? warn(subject, `${nothing} yet`, hint) : fail(subject, nothing, hint);
  }
  const says = `${newest.label} was proven ${ageText(newest.at, now)} ago`;
  return now.getTime() - newest.at.getTime() <= LIMIT_MS ? ok(subject, says) : fail(subject, says, hint);
}
