import { isGood } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import type { Parts } from '../assemble.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { ageText, durationText, timeText } from '../quantities.ts';
import type { SourceStatus } from '../report/source-status.ts';
import type { CommandContext } from './command.ts';
import { jobHistories, ledgerEntries, passedOverText } from './job-lines.ts';
import { listOfAll } from './list-all.ts';
import { findSources } from './each-source.ts';
import { badBackups } from './bad-backups.ts';
import { tableLines } from './table.ts';

/** A line for each source: of more, those with problems come first. */
const ROWS = 50;
const LISTED = 5;

interface SourceRow {
  readonly source: string;
  readonly problems: readonly BackupError[];
  readonly cells: readonly string[];
  readonly value: object;
}

/** One line for each of several sources, those with problems first: what the targets hold now, and what the status file says of the rest. */
export async function statusOfAll(context: CommandContext): Promise<number> {
  const { program, chosen, signal, clock, print } = context;
  const { sources, gone, failures } = await findSources(context);
  const now = clock.now();
  const listing = await listOfAll(chosen, signal);
  const known = (await program.board?.read())?.sources ?? {};
  const rows = sources.map((parts) => rowOf(parts, listing, known[parts.config.source.name], now));
  const unread: BackupError[] = [];
  const entries = await ledgerEntries(program.evidence()).catch((error: unknown) => {
    unread.push(toBackupError(error));
    return [];
  });
  const passedOver = chosen.flatMap((parts) =>
    jobHistories(parts, entries, now).flatMap((history) => {
      const says = passedOverText(history);
      return says === undefined ? [] : [`${parts.config.source.name}: ${history.schedule.job} of ${says}`];
    }),
  );
  const problems = [
    ...unread,
    ...failures.map(({ source, error }) => new BackupError(error.code, `${source}: ${error.message}`)),
    ...listing.unreachable.map(({ error }) => error),
    ...rows.flatMap((row) => row.problems),
  ];
  const sorted = [...rows].sort((a, b) => b.problems.length - a.problems.length || (a.source < b.source ? -1 : 1));
  const well = rows.filter((row) => row.problems.length === 0).length;
  print(
    {
      healthy: problems.length === 0,
      sources: rows.map(({ value }) => value),
      ...(gone.length > 0 && { gone }),
      ...(passedOver.length > 0 && { passedOver }),
      problems: problems.map(({ message }) => message),
    },
    [
      problems.length === 0
        ? `All is well with ${rows.length} sources.`
        : `Attention: ${well} of ${rows.length} sources are well.`,
      ...tableLines(
        ['SOURCE', 'STATE', 'NEWEST GOOD', 'PROVEN', 'RPO', 'RTO', 'RECOVERABLE SINCE', 'NEXT BACKUP', 'LAST RUN'],
        sorted.slice(0, ROWS).map(({ cells }) => cells),
      ),
      ...more(sorted.length - ROWS, 'sources'),
      ...problems.slice(0, LISTED).map(({ message }) => `Attention: ${message}`),
      ...more(problems.length - LISTED, 'problems'),
      ...passedOver.slice(0, LISTED),
      ...more(passedOver.length - LISTED, 'slots without a run'),
      ...(gone.length > 0
        ? [`No longer there, backups kept: ${gone.slice(0, LISTED).join(', ')}`, ...more(gone.length - LISTED, 'databases')]
        : []),
    ],
  );
  return problems[0]?.exitStatus ?? 0;
}

function more(count: number, of: string): string[] {
  return count > 0 ? [`… and ${count} more ${of} (--json has all, --source NAME one in full)`] : [];
}

function rowOf({ config, status }: Parts, { backups }: Listing, known: SourceStatus | undefined, now: Date): SourceRow {
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
  const next = status.nextRuns(now).get('nightly-backup');
  const loss = newest && Date.parse(newest.manifest?.snapshot.time ?? newest.started.toISOString());
  return {
    source,
    problems,
    cells: [
      source,
      problems.length > 0 ? 'LOOK' : 'well',
      newest ? `${ageText(newest.started, now)} ago` : 'none',
      proven ? `${ageText(new Date(proven.provenAt), now)} ago` : 'never',
      `${loss === undefined ? '?' : durationText(now.getTime() - loss)} of ${durationText(rpoMinutes * 60_000)}`,
      `${known?.rto.minutes === undefined ? '?' : durationText(known.rto.minutes * 60_000)} of ${durationText(rtoMinutes * 60_000)}`,
      since === undefined ? '-' : timeText(new Date(since)),
      next ? timeText(next) : 'never',
      last?.outcome ?? '-',
    ],
    value: {
      source,
      healthy: problems.length === 0,
      ...(newest && { newest: { label: newest.label, started: newest.started, state: newest.state } }),
      ...(proven && { newestProven: proven }),
      ...(since !== undefined && { recoverableSince: since }),
      rpo: { targetMinutes: rpoMinutes, ...(loss !== undefined && { minutes: Math.round((now.getTime() - loss) / 60_000) }) },
      rto: { targetMinutes: rtoMinutes, ...(known?.rto.minutes !== undefined && { minutes: known.rto.minutes }) },
      ...(last && { lastRun: last }),
      ...(next && { next }),
      problems: problems.map(({ message }) => message),
    },
  };
}
