import { createHash } from 'node:crypto';
import { keyText, linesOf, titleOf, type Alert } from './alert.ts';
import type { Notifier } from './notifier.ts';
import { post } from './post.ts';

/** Limits of the Events API v2: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ */
const KEY_CHARACTERS = 255;
const SUMMARY_CHARACTERS = 1024;

/** Opens an incident for a problem and resolves it when that is over. */
export function createPagerDuty({ url, routingKey }: { readonly url: string; readonly routingKey: string }): Notifier {
  const name = 'pagerduty';
  const enqueue = (event: object, signal: AbortSignal) =>
    post(
      { name, url, body: JSON.stringify({ routing_key: routingKey, ...event }), headers: { 'Content-Type': 'application/json' } },
      signal,
    );
  return {
    name,
    async send(alert, signal) {
      const key = dedupKey(alert);
      if (alert.status !== 'recovery') await enqueue({ event_action: 'trigger', dedup_key: key, ...trigger(alert) }, signal);
      if (alert.status !== 'problem') await enqueue({ event_action: 'resolve', dedup_key: key }, signal);
    },
  };
}

/** The same for all alerts of a problem. A test must not touch the incident of a real one. */
function dedupKey(alert: Alert): string {
  const key = alert.status === 'test' ? `${keyText(alert)}/test` : keyText(alert);
  return key.length <= KEY_CHARACTERS ? key : `db-backup/${createHash('sha256').update(key).digest('hex')}`;
}

function trigger(alert: Alert): object {
  const { source, job, kind, severity, at, since, times, hint, facts } = alert;
  return {
    client: 'db-backup',
    payload: {
      summary: titleOf(alert).slice(0, SUMMARY_CHARACTERS),
      source,
      severity: alert.status === 'test' ? 'info' : severity,
      timestamp: at,
      component: job,
      group: 'db-backup',
      class: kind,
      custom_details: { ...facts, ...(hint === undefined ? {} : { hint }), since, times, text: linesOf(alert).join('\n') },
    },
  };
}
