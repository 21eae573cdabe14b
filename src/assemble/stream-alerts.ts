import type { Config } from '../config.ts';
import { covers } from '../config/choose-source.ts';
import { toBackupError } from '../errors.ts';
import type { CheckName } from '../health/check.ts';
import type { ProblemKey } from '../notify/alert.ts';
import { keysOf } from '../notify/alert-state.ts';
import type { AlertContext, Alerts } from '../notify/alerts.ts';
import { errorReport } from '../report/backup-report.ts';

/** What is looked at only where WAL is streamed. */
const CHECKS: readonly CheckName[] = ['wal stream', 'wal at source', 'commits', 'wal copies', 'base backup', 'recovery proof'];
/** What is run by the schedule only there. */
const JOBS: readonly string[] = ['base-backup', 'pitr-drill'];

/** What stands of the stream of a source, its physical backups and their drills is over: WAL is not meant to be streamed, and nobody looks any more. */
export async function endAlertsOfStream(config: Config, alerts: Alerts, why: string, context: AlertContext): Promise<void> {
  if (alerts.channels.length === 0) return;
  const isOurs = ({ source }: ProblemKey): boolean => source === config.source.name || covers(config, source);
  try {
    const clear = keysOf(await alerts.state(context.signal)).filter((key) => isOurs(key) && isOfStream(key));
    if (clear.length > 0) await alerts.tell({ clear: clear.map((key) => ({ ...key, why })) }, context);
  } catch (error) {
    if (context.signal?.aborted === true) return;
    context.log.error({ ...errorReport(toBackupError(error)) }, 'alerts of the stream of WAL may stand that are over');
  }
}

function isOfStream({ job, object = '' }: ProblemKey): boolean {
  return (
    JOBS.includes(job) || (job === 'health-check' && CHECKS.some((name) => object === name || object.startsWith(`${name} `)))
  );
}
