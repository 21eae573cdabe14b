import { toBackupError } from '../errors.ts';
import { throwIfNowhere, type PutOutcome } from './put-outcome.ts';
import { retry, type RetryPolicy } from './retrying.ts';
import type { Content, Storage } from './storage.ts';

/** Stores small content (a manifest, a side file) on every target. Throws only if none took it. */
export async function storeEverywhere(
  key: string,
  content: Content,
  targets: readonly Storage[],
  policy: RetryPolicy,
  signal?: AbortSignal,
): Promise<PutOutcome[]> {
  const outcomes = await Promise.all(
    targets.map(async (target): Promise<PutOutcome> => {
      try {
        const result = await retry(
          policy,
          () => target.put(key, content, signal),
          signal,
          () => content.replayable,
        );
        return { target: target.name, ok: true, result };
      } catch (error) {
        return { target: target.name, ok: false, error: toBackupError(error) };
      }
    }),
  );
  signal?.throwIfAborted();
  throwIfNowhere(key, outcomes);
  return outcomes;
}
