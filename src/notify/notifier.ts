import { BackupError } from '../errors.ts';
import type { Alert } from './alert.ts';

/** A way to people. Implementations: PagerDuty, Slack, webhook, mail; decorator: retrying. */
export interface Notifier {
  /** Short and unique among those configured; what was told is remembered under it. */
  readonly name: string;
  /**
   * Hands `alert` over. Resolves only when the other side has taken it; then it is theirs to deliver.
   * May be called again with the same alert (same `id`), when it is not certain that the first one arrived.
   * Throws `ALERT_FAILED`, `retryable` when the same call may succeed later, and at once the signal's reason when that
   * aborts. Messages name the host, never the rest of an address: that is often a secret.
   */
  send(alert: Alert, signal: AbortSignal): Promise<void>;
}

/** `to`: the channel and the host. */
export function alertFailed(
  to: string,
  why: string,
  options: { retryable: boolean; hint?: string; cause?: unknown },
): BackupError {
  const hint = options.hint ?? 'It is tried again later. `backup-manager notify --test` shows whether it works.';
  return new BackupError('ALERT_FAILED', `${to} did not take an alert: ${why}`, { ...options, hint });
}
