import { toBackupError, type ErrorCode } from '../errors.ts';
import { copyObject, type ExpectedBytes } from './copy-object.ts';
import type { PutOutcome } from './put-outcome.ts';
import { retry, type RetryPolicy } from './retrying.ts';
import type { Storage } from './storage.ts';

/** A target without room stays without: trying again would only read everything once more. */
const BEYOND_REPAIR: readonly (ErrorCode | undefined)[] = ['STORAGE_FULL', 'STORAGE_READ_ONLY'];

/**
 * Makes the copies that failed, from a target that has one, with retries. Returns the outcomes in the same order; what
 * could not be repaired keeps its first error.
 */
export async function repairCopies(
  key: string,
  outcomes: readonly PutOutcome[],
  targets: readonly Storage[],
  expected: ExpectedBytes,
  options: { readonly retries: RetryPolicy; readonly signal?: AbortSignal; readonly stallTimeoutMs?: number | undefined },
): Promise<PutOutcome[]> {
  const { retries, signal } = options;
  const find = (name: string) => targets.find((target) => target.name === name);
  const sources = outcomes.filter(({ ok }) => ok).flatMap(({ target }) => find(target) ?? []);
  const repaired: PutOutcome[] = [];
  for (const outcome of outcomes) {
    const to = find(outcome.target);
    const settled = outcome.ok || BEYOND_REPAIR.includes(outcome.error?.code);
    repaired.push(settled || !to || signal?.aborted === true ? outcome : await repairCopy(outcome, to));
  }
  return repaired;

  async function repairCopy(outcome: PutOutcome, to: Storage): Promise<PutOutcome> {
    for (const from of sources) {
      try {
        const result = await retry(retries, () => copyObject(key, from, to, expected, options), signal);
        return { ...outcome, ok: true, result, repaired: true };
      } catch (error) {
        // The next source may do; if none does, the latest failure is the one to act on.
        outcome = { ...outcome, error: toBackupError(error) };
      }
    }
    return outcome;
  }
}
