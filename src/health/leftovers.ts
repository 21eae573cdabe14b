import type { BackupError } from '../errors.ts';
import { ok, unchecked, warn, type HealthCheck } from './check.ts';

/** How many are named. */
const NAMED = 3;

/** Whether killed runs left something: it costs room, and the next backup or clean-up should have removed it. */
export function checkLeftovers(locations: readonly string[] | BackupError): HealthCheck {
  const subject = { check: 'leftovers' } as const;
  if (locations instanceof Error) return unchecked(subject, 'warn', locations);
  if (locations.length === 0) return ok(subject, 'none');
  const more = locations.length > NAMED ? ` and ${locations.length - NAMED} more` : '';
  return warn(
    subject,
    `${locations.length} older than a day: ${locations.slice(0, NAMED).join(', ')}${more}`,
    'The clean-up removes them: `backup-manager cleanup`. If they stay, see its report.',
  );
}
