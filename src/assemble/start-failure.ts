import { basename, dirname } from 'node:path';
import type { NotifyPart } from '../config/notify-part.ts';
import type { BackupError } from '../errors.ts';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import type { ProblemKey } from '../notify/alert.ts';
import { createDiskStorage } from '../storage/disk.ts';
import { assembleAlerts } from './alerts.ts';

/** The name that a source has in an alert when the configuration does not say. */
const UNKNOWN = 'unknown';

/** What a failed start is known by, in alerts. More than one: the name of the source may have been part of what was wrong. */
export function startProblems(sources: readonly string[]): ProblemKey[] {
  return [...sources, UNKNOWN].map((name) => ({ source: name, job: 'daemon', kind: 'configuration' }));
}

/**
 * Tells that the daemon does not start, as far as the configuration says whom. Ends within the time-out of deliveries, never
 * rejects, and logs to standard error what it could not deliver.
 */
export async function tellOfFailedStart(
  failure: BackupError,
  { notify, source = UNKNOWN, reports, redact }: NotifyPart,
): Promise<void> {
  // The folder that a whole configuration leads to as well, so that the daemon knows what to take back when it starts. It may be the first.
  const storage = createDiskStorage({ name: 'reports', root: dirname(reports), readable: true });
  const places = [{ storage, prefix: `${basename(reports)}/` }];
  const { alerts } = assembleAlerts(notify, [], { places, redact });
  const log = createLog('warn', { redact, destination: process.stderr });
  const { message, hint } = failure;
  const summary = `the daemon does not start, no backup will be made: ${message}`;
  const key = startProblems([source])[0]!;
  await alerts.tell({ raise: [{ ...key, summary, ...(hint !== undefined && { hint }) }] }, { log, clock: systemClock });
}
