import { setTimeout as delay } from 'node:timers/promises';
import { BackupError } from '../errors.ts';
import type { ByteRange, Content, Storage } from './storage.ts';

export interface RetryPolicy {
  /** How often an operation is tried in all. */
  readonly attempts: number;
  /** Upper bound of the first pause; it doubles with each further one. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** From 0 to 1; each pause is a random part of its bound, so that many clients do not come back at once. */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Told before each pause. */
  readonly onRetry?: (error: BackupError, attempt: number, delayMs: number) => void;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 5, baseDelayMs: 500, maxDelayMs: 30_000 };

/** A read or listing that breaks again and again is given up, unless so much came since its attempts were last renewed. */
const RENEWED_BY = { bytes: 1 << 20, keys: 1000 };

/** Runs `operation` until it succeeds, fails with an error that is not retryable, or has been tried often enough. */
export async function retry<T>(
  policy: RetryPolicy,
  operation: (attempt: number) => Promise<T>,
  signal?: AbortSignal,
  mayRetry: () => boolean = () => true,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      if (!mayRetry()) throw error;
      await pauseAfter(error, attempt, policy, signal);
    }
  }
}

/** Waits before the next attempt; throws `error` when there is to be none. */
async function pauseAfter(error: unknown, attempt: number, policy: RetryPolicy, signal: AbortSignal | undefined): Promise<void> {
  const { random = Math.random, sleep = pause } = policy;
  const hopeless = !(error instanceof BackupError) || !error.retryable || attempt >= policy.attempts;
  if (hopeless || signal?.aborted === true) throw error;
  const delayMs = random() * Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (attempt - 1));
  policy.onRetry?.(error, attempt, delayMs);
  await sleep(delayMs, signal);
}

/**
 * `inner`, with operations tried again after failures that may pass. A read goes on where it broke off; a put starts
 * again, if its content can be read again.
 */
export function withRetries(inner: Storage, policy: RetryPolicy = DEFAULT_RETRIES): Storage {
  const protection = inner.protection?.bind(inner);
  const free = inner.free?.bind(inner);
  return {
    name: inner.name,
    location: (key) => inner.location(key),
    put: (key, content: Content, signal) =>
      retry(
        policy,
        () => inner.put(key, content, signal),
        signal,
        () => content.replayable,
      ),
    get: (key, range, signal) => read(inner, policy, key, range, signal),
    head: (key, signal) => retry(policy, () => inner.head(key, signal), signal),
    list: (prefix, signal) => list(inner, policy, prefix, signal),
    remove: (key, signal) => retry(policy, () => inner.remove(key, signal), signal),
    leftovers: (prefix, before, signal) => retry(policy, () => inner.leftovers(prefix, before, signal), signal),
    sweep: (prefix, before, signal) => retry(policy, () => inner.sweep(prefix, before, signal), signal),
    probe: (signal) => retry(policy, () => inner.probe(signal), signal),
    ...(protection && { protection: (key, signal) => retry(policy, () => protection(key, signal), signal) }),
    ...(free && { free: (signal) => retry(policy, () => free(signal), signal) }),
  };
}

async function* read(
  inner: Storage,
  policy: RetryPolicy,
  key: string,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
) {
  let done = 0;
  const rest = (): ByteRange | undefined => {
    if (done === 0) return range;
    const offset = (range?.offset ?? 0) + done;
    return range?.length === undefined ? { offset } : { offset, length: range.length - done };
  };
  const open = () => inner.get(key, rest(), signal);
  yield* resumed(policy, signal, open, RENEWED_BY.bytes, ({ length }) => {
    done += length;
    return length;
  });
}

async function* list(inner: Storage, policy: RetryPolicy, prefix: string, signal: AbortSignal | undefined) {
  const seen = new Set<string>();
  const open = () => inner.list(prefix, signal);
  yield* resumed(policy, signal, open, RENEWED_BY.keys, ({ key }) => (seen.size < seen.add(key).size ? 1 : 0));
}

/**
 * What `open` gives, opened again after a failure that may pass. `take` says how much an item brings, 0 if it came before; with
 * `renewedBy` of that the attempts begin anew.
 */
async function* resumed<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  open: () => AsyncIterable<T>,
  renewedBy: number,
  take: (item: T) => number,
): AsyncGenerator<T, void, undefined> {
  let iterator: AsyncIterator<T> | undefined;
  let failures = 0;
  let brought = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      let next: IteratorResult<T>;
      try {
        iterator ??= open()[Symbol.asyncIterator]();
        next = await iterator.next();
      } catch (error) {
        iterator = undefined;
        failures += 1;
        await pauseAfter(error, failures, policy, signal);
        continue;
      }
      if (next.done === true) return;
      const amount = take(next.value);
      brought += amount;
      if (brought >= renewedBy) [failures, brought] = [0, 0];
      if (amount > 0) yield next.value;
    }
  } finally {
    await iterator?.return?.();
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
