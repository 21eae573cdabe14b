import type { BackupError } from '../errors.ts';
import { fail, ok, unchecked, warn, type HealthCheck } from './check.ts';

export interface AlertsLook {
  /** Names of the channels and pings that are configured. */
  readonly channels: readonly string[];
  readonly undelivered: readonly { readonly channel: string; readonly since: string; readonly message: string }[];
}

/** Whether somebody would hear of a problem: silence would look like health. */
export function checkAlerts(look: AlertsLook | BackupError): HealthCheck {
  const subject = { check: 'alerts' } as const;
  if (look instanceof Error) return unchecked(subject, 'warn', look);
  const { channels, undelivered } = look;
  if (channels.length === 0)
    return warn(subject, 'nobody is told of problems', "Configure a channel, and a dead man's switch: docs/alerts.md.");
  if (undelivered.length === 0) return ok(subject, `delivered by ${channels.join(', ')}`);
  return fail(
    subject,
    undelivered.map(({ channel, since, message }) => `not delivered by ${channel} since ${since}: ${message}`).join('; '),
    'Try the way again: `backup-manager notify --test`.',
  );
}
