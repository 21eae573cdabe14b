import { toBackupError, type BackupError } from '../errors.ts';
import { throwIfNowhere } from '../storage/put-outcome.ts';
import type { Storage } from '../storage/storage.ts';

export interface CheckedTargets {
  /** What answered, and can be listed and written to. */
  readonly usable: readonly Storage[];
  /** What did not, and why. */
  readonly failed: readonly { readonly target: Storage; readonly error: BackupError }[];
}

/** Probes all targets side by side. Throws when none is usable: the one target's own error, or all of them in one. */
export async function checkTargets(targets: readonly Storage[], signal: AbortSignal): Promise<CheckedTargets> {
  const outcomes = await Promise.all(
    targets.map(async (target) => {
      try {
        await target.probe(signal);
        return { target, error: undefined };
      } catch (error) {
        return { target, error: toBackupError(error) };
      }
    }),
  );
  signal.throwIfAborted();
  throwIfNowhere(
    'a backup',
    outcomes.map(({ target, error }) => ({ target: target.name, ok: error === undefined, ...(error && { error }) })),
  );
  return {
    usable: outcomes.flatMap(({ target, error }) => (error ? [] : [target])),
    failed: outcomes.flatMap(({ target, error }) => (error ? [{ target, error }] : [])),
  };
}
