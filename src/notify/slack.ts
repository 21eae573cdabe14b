import { linesOf, titleOf, type Alert } from './alert.ts';
import type { Notifier } from './notifier.ts';
import { post } from './post.ts';

const MARKS = { problem: ':rotating_light:', recovery: ':white_check_mark:', test: ':wave:' } as const;
/** Slack cuts a text after 40,000 characters; nobody reads as many. */
const CHARACTERS = 3000;

/** Slack's incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks. Only `text`, which others take too. */
export function createSlack({ url }: { readonly url: string }): Notifier {
  const name = 'slack';
  return {
    name,
    send: (alert, signal) =>
      post({ name, url, body: JSON.stringify({ text: textOf(alert) }), headers: { 'Content-Type': 'application/json' } }, signal),
  };
}

function textOf(alert: Alert): string {
  const mark = alert.status === 'problem' && alert.severity === 'warning' ? ':warning:' : MARKS[alert.status];
  const text = [`${mark} *${oneLine(titleOf(alert))}*`, ...linesOf(alert)].join('\n');
  // Cut first: half an escaped character would show.
  return text.slice(0, CHARACTERS).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Bold text ends with its line, and at an asterisk. */
function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('*', '∗');
}
