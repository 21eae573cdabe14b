import { createHmac } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { keyText, titleOf } from './alert.ts';
import type { Notifier } from './notifier.ts';
import { post } from './post.ts';

export interface WebhookOptions {
  readonly url: string;
  /** Key of the signature; without one there is none. */
  readonly secret?: string;
  readonly clock: Clock;
}

/** Raised when a receiver of an older version could misunderstand the body. Fields may be added without raising it. */
const VERSION = 1;

/**
 * Posts each alert as JSON. The signature covers the time too, so that a receiver can refuse an old request that somebody
 * recorded and sends again; docs/alerts.md shows how to check it.
 */
export function createWebhook({ url, secret, clock }: WebhookOptions): Notifier {
  const name = 'webhook';
  return {
    name,
    send: (alert, signal) => {
      const body = JSON.stringify({ version: VERSION, key: keyText(alert), title: titleOf(alert), ...alert });
      // Unix time in seconds: the time of this attempt.
      const timestamp = String(Math.floor(clock.now().getTime() / 1000));
      const headers = {
        'Content-Type': 'application/json',
        'X-Backup-Delivery': alert.id,
        'X-Backup-Timestamp': timestamp,
        ...(secret !== undefined && { 'X-Backup-Signature': `sha256=${sign(secret, timestamp, body)}` }),
      };
      return post({ name, url, body, headers }, signal);
    },
  };
}

function sign(secret: string, timestamp: string, body: string): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}
