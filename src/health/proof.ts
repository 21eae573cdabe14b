import type { BackupError } from '../errors.ts';
import { ageText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A drill a month, and some days for one that has to be repeated. */
const LIMIT_MS = 35 * DAY_MS;

export interface ProofInput {
  /** The newest drill that proved a backup. */
  readonly newest: { readonly label: string; readonly at: Date } | undefined;
  /** When the first backup was made, as far as reports tell. */
  readonly first: Date | undefined;
  readonly now: Date;
}

/** Whether it was proven lately that a backup restores. */
export function checkProof(input: ProofInput | BackupError): HealthCheck {
  const subject = { check: 'proof' } as const;
  if (input instanceof Error) return unchecked(subject, 'fail', input);
  const { newest, first, now } = input;
  const hint = 'Run `backup-manager monthly-drill`, and see what it says.';
  if (!newest) {
    const says = 'no drill has proven that a backup restores';
    const young = first === undefined || now.getTime() - first.getTime() <= LIMIT_MS;
    return young ? warn(subject, `${says} yet`, hint) : fail(subject, says, hint);
  }
  const says = `${newest.label} was proven ${ageText(newest.at, now)} ago`;
  return now.getTime() - newest.at.getTime() <= LIMIT_MS ? ok(subject, says) : fail(subject, says, hint);
}
