import type { Values } from './merge.ts';
import { maskWhenShown } from './secrets.ts';

/** Who is told of problems. A channel that is not configured is absent. Printing it shows no secret. */
export interface NotifyConfig {
  readonly repeatHours: number;
  readonly timeoutSeconds: number;
  readonly pagerDuty?: { readonly url: string; readonly routingKey: string };
  readonly slack?: { readonly url: string };
  readonly webhook?: { readonly url: string; readonly secret?: string };
  readonly mail?: MailConfig;
  /** Addresses to ping, by job. */
  readonly ping: {
    readonly exitStatus: boolean;
    readonly backup?: string;
    readonly cleanup?: string;
    readonly drill?: string;
  };
}

export interface MailConfig {
  readonly host: string;
  readonly port: number;
  readonly security: 'starttls' | 'tls' | 'none';
  readonly login?: { readonly user: string; readonly password: string };
  readonly from: string;
  readonly to: readonly string[];
}

/** What the merged values say about alerts. A channel with a part missing is left out; see {@link checkNotify}. */
export function notifyConfig(values: Values): NotifyConfig {
  const at = (key: string): string => values.text(`notify.${key}`);
  const routingKey = at('pagerDuty.routingKey');
  const secret = at('webhook.secret');
  const address = (key: string): object => (at(`ping.${key}`) === '' ? {} : { [key]: at(`ping.${key}`) });
  const ping = {
    exitStatus: values.is('notify.ping.exitStatus'),
    ...address('backup'),
    ...address('cleanup'),
    ...address('drill'),
  };
  const mail = mailConfig(values);
  return {
    repeatHours: values.number('notify.repeatHours'),
    timeoutSeconds: values.number('notify.timeoutSeconds'),
    ...(routingKey !== '' &&
      at('pagerDuty.url') !== '' && { pagerDuty: maskWhenShown({ url: at('pagerDuty.url'), routingKey }, 'routingKey') }),
    ...(at('slack.url') !== '' && { slack: maskWhenShown({ url: at('slack.url') }, 'url') }),
    ...(at('webhook.url') !== '' && {
      webhook: maskWhenShown({ url: at('webhook.url'), ...(secret !== '' && { secret }) }, 'url', 'secret'),
    }),
    ...(mail && { mail }),
    ping: maskWhenShown<NotifyConfig['ping']>(ping, 'backup', 'cleanup', 'drill'),
  };
}

/** Rules that hold between these settings. */
export function checkNotify(values: Values, need: (key: string, says: string) => void): void {
  const at = (key: string): string => values.text(`notify.${key}`);
  if (at('mail.host') !== '') {
    if (at('mail.from') === '')
      need('notify.mail.from', 'expected the sender of the mails, as there is a mail relay (BACKUP_MAIL_FROM)');
    if (values.list('notify.mail.to').length === 0) {
      need('notify.mail.to', 'expected who gets the mails, as there is a mail relay (BACKUP_MAIL_TO)');
    }
  } else if (values.list('notify.mail.to').length > 0) {
    need('notify.mail.host', 'expected the mail relay, as there is somebody to write to (BACKUP_SMTP_HOST)');
  }
  if (at('pagerDuty.routingKey') !== '' && at('pagerDuty.url') === '') {
    need('notify.pagerDuty.url', 'expected where PagerDuty takes events, as there is an integration key (BACKUP_PAGERDUTY_URL)');
  }
  if ((at('mail.user') === '') !== (at('mail.password') === '')) {
    need('notify.mail.password', 'expected notify.mail.user and notify.mail.password together');
  }
  if (at('webhook.secret') !== '' && at('webhook.url') === '') {
    need('notify.webhook.url', 'expected the address of the webhook, as there is a secret for it (BACKUP_WEBHOOK_URL)');
  }
}

function mailConfig(values: Values): MailConfig | undefined {
  const at = (key: string): string => values.text(`notify.mail.${key}`);
  const to = values.list('notify.mail.to');
  if (at('host') === '' || at('from') === '' || to.length === 0) return undefined;
  const login = at('user') !== '' && at('password') !== '' ? { user: at('user'), password: at('password') } : undefined;
  return {
    host: at('host'),
    port: values.number('notify.mail.port'),
    security: at('security') as MailConfig['security'],
    ...(login && { login: maskWhenShown(login, 'password') }),
    from: at('from'),
    to,
  };
}
