import { setTimeout as sleep } from 'node:timers/promises';
import type { Alerts, AlertContext } from './alerts.ts';

/** How long to wait for a channel that did not take an alert. */
export const REDELIVERY_MS = 5 * 60_000;

/** Delivers what is due now and then every `everyMs`, until the signal aborts. Never rejects, keeps no process alive. */
export async function keepDelivering(
  alerts: Alerts,
  everyMs: number,
  context: AlertContext & { readonly signal: AbortSignal },
): Promise<void> {
  while (!context.signal.aborted) {
    await alerts.tell({}, context);
    await sleep(everyMs, undefined, { ref: false, signal: context.signal }).catch(() => undefined);
  }
}
