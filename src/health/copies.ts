import { isGood, type Backup } from '../catalog/backup.ts';
import { ageText } from '../quantities.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';
import type { BackupError } from '../errors.ts';

export interface CopiesInput {
  readonly target: string;
  /** Why the target could not be listed. */
  readonly error: BackupError | undefined;
  /** Of one source, newest first. */
  readonly backups: readonly Backup[];
  readonly limitMs: number;
  readonly now: Date;
}

/** Whether one target has a whole copy that is as young as the newest good backup should be. */
export function checkCopies({ target, error, backups, limitMs, now }: CopiesInput): HealthCheck {
  const subject = { check: 'copies', object: target } as const;
  if (error) return unchecked(subject, 'fail', error);
  const good = backups.filter(isGood);
  const whole = good.find(({ copies }) => copies.some((copy) => copy.target === target && copy.state === 'whole'));
  const hint = `See why in \`backup-manager logs backup\`; the next backup stores a new copy on ${target}.`;
  if (!whole) return fail(subject, `${target} holds no whole copy of a good backup`, hint);
  const says = `the newest whole copy is ${whole.label}, ${ageText(whole.started, now)} old`;
  if (now.getTime() - whole.started.getTime() > limitMs) return fail(subject, says, hint);
  return whole === good[0] ? ok(subject, says) : warn(subject, `${says}; ${good[0]!.label} is not whole there`, hint);
}
