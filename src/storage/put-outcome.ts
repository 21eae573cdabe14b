import { BackupError } from '../errors.ts';
import type { PutResult } from './storage.ts';

/** What became of one target's copy. */
export interface PutOutcome {
  /** The target's name. */
  readonly target: string;
  readonly ok: boolean;
  readonly result?: PutResult;
  /** Why the target has no copy or, if `repaired`, why it had none at first. */
  readonly error?: BackupError;
  /** The first attempt failed and the copy was made afterwards from another target. */
  readonly repaired?: boolean;
}

/** Throws when no target has a copy: the one target's own error, or all of them in one. */
export function throwIfNowhere(key: string, outcomes: readonly PutOutcome[]): void {
  if (outcomes.some(({ ok }) => ok)) return;
  const [first, ...others] = outcomes;
  if (first?.error && others.length === 0) throw first.error;
  const reasons = outcomes.map(({ target, error }) => `${target}: ${error?.message ?? 'no copy'}`).join('; ');
  throw new BackupError('STORAGE_NO_TARGET', `no target could store ${key} (${reasons})`, {
    hint: outcomes.map(({ target, error }) => `${target}: ${error?.hint ?? 'see the message'}`).join(' '),
    retryable: outcomes.some(({ error }) => error?.retryable === true),
    ...(first?.error && { cause: first.error }),
  });
}
