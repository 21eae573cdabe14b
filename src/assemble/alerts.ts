import { systemClock } from '../clock.ts';
import type { NotifyConfig } from '../config/notify-config.ts';
import { createAlertStore, type StatePlace } from '../notify/alert-store.ts';
import { createAlerts, type Alerts } from '../notify/alerts.ts';
import { createMail } from '../notify/mail.ts';
import type { Notifier } from '../notify/notifier.ts';
import { createPagerDuty } from '../notify/pagerduty.ts';
import { createPinger, type Pinger } from '../notify/ping.ts';
import { DELIVERY, withPingRetries, withRetries } from '../notify/retrying.ts';
import { createSlack } from '../notify/slack.ts';
import { createWebhook } from '../notify/webhook.ts';

const HOUR_MS = 60 * 60_000;

/** Who is watched by a dead man's switch: the parts of a configuration that name their addresses, with the name of the job. */
const PINGED = { backup: 'nightly-backup', cleanup: 'weekly-cleanup', drill: 'restore-drill' } as const;

export interface AlertingTools {
  readonly alerts: Alerts;
  readonly notifiers: readonly Notifier[];
  /** By name of the job. */
  readonly pingers: ReadonlyMap<string, Pinger>;
}

/** A source, as far as alerts know it. */
interface PingedSource {
  readonly name: string;
  readonly listed: boolean;
  readonly ping: NotifyConfig['ping'];
}

export interface Alerting {
  readonly alerts: Alerts;
  readonly notifiers: readonly Notifier[];
  /** By name of the source. */
  readonly pingers: ReadonlyMap<string, ReadonlyMap<string, Pinger>>;
}

/** The configured ways to people, for all sources. Opens no connection. */
export function assembleAlerts(
  config: NotifyConfig,
  sources: readonly PingedSource[],
  options: { readonly places: readonly StatePlace[]; readonly redact: (text: string) => string },
): Alerting {
  const { pagerDuty, slack, webhook, mail } = config;
  const notifiers = [
    ...(pagerDuty ? [createPagerDuty(pagerDuty)] : []),
    ...(slack ? [createSlack(slack)] : []),
    ...(webhook ? [createWebhook({ ...webhook, clock: systemClock })] : []),
    ...(mail ? [createMail(mail)] : []),
  ].map((notifier) => withRetries(notifier, DELIVERY));
  const pingers = new Map(sources.map((source) => [source.name, pingersOf(source)]));
  const alerts = createAlerts({
    notifiers,
    pings: [...pingers.values()].flatMap((each) => [...each.values()].map(({ name }) => name)),
    store: createAlertStore(options.places),
    repeatMs: config.repeatHours * HOUR_MS,
    timeoutMs: config.timeoutSeconds * 1000,
    redact: options.redact,
  });
  return { alerts, notifiers, pingers };
}

function pingersOf({ name, listed, ping }: PingedSource): Map<string, Pinger> {
  const pingers = new Map<string, Pinger>();
  for (const key of ['backup', 'cleanup', 'drill'] as const) {
    const url = ping[key];
    const job = PINGED[key];
    if (url === undefined) continue;
    const channel = listed ? `ping ${job} of ${name}` : `ping ${job}`;
    pingers.set(job, withPingRetries(createPinger({ name: channel, url, exitStatus: ping.exitStatus }), DELIVERY));
  }
  return pingers;
}
