import { isGood } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import type { Parts } from '../assemble.ts';
import { BackupError } from '../errors.ts';
import { ageText, durationText } from '../quantities.ts';
import type { SourceStatus } from '../report/source-status.ts';
import { badBackups } from './bad-backups.ts';
import type { Standing } from './status-screen.ts';

/** How one of several sources stands. */
export interface SourceRow extends Standing {
  readonly problems: readonly BackupError[];
  /** For `--json`. */
  readonly value: object;
}

/** By what the targets hold now, and by what the status file says of the rest. */
export async function rowOf(
  { config, status }: Parts,
  { backups }: Listing,
  known: SourceStatus | undefined,
  now: Date,
): Promise<SourceRow> {
  const source = config.source.name;
  const { freshnessLimitMs, rpoMinutes, rtoMinutes } = status.objectives;
  const own = backups.filter((backup) => backup.source === source);
  const good = own.filter(isGood);
  const newest = good[0];
  const says = (code: 'BACKUP_UNKNOWN' | 'BACKUP_INCOMPLETE' | 'UNHEALTHY', what: string) =>
    new BackupError(code, `${source}: ${what}`);
  const problems: BackupError[] = badBackups({ backups: own }).map(
    ({ code, message }) => new BackupError(code, `${source}: ${message}`),
  );
  if (!newest) problems.push(says('BACKUP_UNKNOWN', 'there is no good backup'));
  else if (now.getTime() - newest.started.getTime() > freshnessLimitMs) {
    problems.push(
      says(
        'BACKUP_UNKNOWN',
        `the newest good backup is ${ageText(newest.started, now)} old; up to ${durationText(freshnessLimitMs)} is well`,
      ),
    );
  }
  const last = known?.jobs['nightly-backup']?.last;
  if (last && last.outcome !== 'success')
    problems.push(says('BACKUP_INCOMPLETE', `the last run ended with ${last.outcome}: ${last.message ?? ''}`));
  const failed = (known?.health?.checks ?? []).filter(({ verdict }) => verdict === 'fail');
  if (failed.length > 0)
    problems.push(
      says('UNHEALTHY', `health: ${failed.map(({ check, object }) => [check, object].filter(Boolean).join(' ')).join(', ')}`),
    );
  const proven = known?.newestProven;
  const since = good.at(-1)?.manifest?.snapshot.time;
  const next = (await status.nextRuns(now)).get('nightly-backup');
  const loss = newest && Date.parse(newest.manifest?.snapshot.time ?? newest.started.toISOString());
  const lossMs = loss === undefined ? undefined : now.getTime() - loss;
  const restoreMinutes = known?.rto.minutes;
  return {
    source,
    problems,
    ...{ rpoMs: rpoMinutes * 60_000, rtoMs: rtoMinutes * 60_000 },
    ...(newest && { newest: newest.started }),
    ...(proven && { provenAt: new Date(proven.provenAt) }),
    ...(lossMs !== undefined && { lossMs }),
    ...(restoreMinutes !== undefined && { restoreMs: restoreMinutes * 60_000 }),
    ...(since !== undefined && { since: new Date(since) }),
    ...(next && { next }),
    ...(last && { lastRun: last.outcome }),
    value: {
      source,
      healthy: problems.length === 0,
      ...(newest && { newest: { label: newest.label, started: newest.started, state: newest.state } }),
      ...(proven && { newestProven: proven }),
      ...(since !== undefined && { recoverableSince: since }),
      rpo: { targetMinutes: rpoMinutes, ...(lossMs !== undefined && { minutes: Math.round(lossMs / 60_000) }) },
      rto: { targetMinutes: rtoMinutes, ...(restoreMinutes !== undefined && { minutes: restoreMinutes }) },
      ...(last && { lastRun: last }),
      ...(next && { next }),
      problems: problems.map(({ message }) => message),
    },
  };
}
