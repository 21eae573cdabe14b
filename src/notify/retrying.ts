import { toBackupError, type BackupError } from '../errors.ts';
import { retry, type RetryPolicy } from '../storage/retrying.ts';
import { alertFailed, type Notifier } from './notifier.ts';
import type { Pinger } from './ping.ts';

export interface DeliveryPolicy extends RetryPolicy {
  /** How long one attempt may take, ms. */
  readonly attemptMs: number;
}

/** Within the default 30 s: several attempts at a server that refuses, two at one that does not answer. */
export const DELIVERY: DeliveryPolicy = { attempts: 5, baseDelayMs: 1000, maxDelayMs: 8000, attemptMs: 10_000 };

/** `inner`, with attempts that are limited in time, and tried again with growing, random pauses when that may help. */
export function withRetries(inner: Notifier, policy: DeliveryPolicy): Notifier {
  return {
    name: inner.name,
    send: (alert, signal) => insist(inner.name, policy, signal, (limited) => inner.send(alert, limited)),
  };
}

/** The same for pings. */
export function withPingRetries(inner: Pinger, policy: DeliveryPolicy): Pinger {
  return {
    name: inner.name,
    ping: (ping, signal) => insist(inner.name, policy, signal, (limited) => inner.ping(ping, limited)),
  };
}

async function insist(
  name: string,
  policy: DeliveryPolicy,
  signal: AbortSignal,
  attempt: (limited: AbortSignal) => Promise<void>,
): Promise<void> {
  let last: BackupError | undefined;
  try {
    await retry(
      policy,
      async () => {
        const limit = AbortSignal.timeout(policy.attemptMs);
        try {
          await attempt(AbortSignal.any([signal, limit]));
        } catch (error) {
          const late = limit.aborted && !signal.aborted;
          last = late
            ? alertFailed(name, `no answer in ${policy.attemptMs / 1000} s`, { retryable: true })
            : toBackupError(error);
          throw last;
        }
      },
      signal,
    );
  } catch (error) {
    // "Out of time" alone would not say why.
    throw signal.aborted && last !== undefined && last.code === 'ALERT_FAILED' ? last : error;
  }
}
