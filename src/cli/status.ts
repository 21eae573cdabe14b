import { isGood, type Backup } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Job } from '../jobs/job.ts';
import { withClient } from '../postgres/connection.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import { lastBackupReport, type FoundReport } from '../report/last-report.ts';
import type { SourceStatus } from '../report/source-status.ts';
import { createScheduler, longestGap } from '../scheduler.ts';
import { overview, standingOf } from '../jobs/overview.ts';
import { badBackups } from './bad-backups.ts';
import type { CommandContext } from './command.ts';
import { isOne } from './each-source.ts';
import { evidenceState, evidenceText } from './evidence-state.ts';
import { backupValue } from './list-backups.ts';
import { jobHistories, jobLines, jobValue, ledgerEntries } from './job-lines.ts';
import { undeliveredLine } from './notify.ts';
import { statusOfAll } from './status-all.ts';
import { ageText, bytesText, durationText, timeText } from '../quantities.ts';
import { factLines } from './table.ts';
import { walFacts, walState } from './wal-state.ts';
import { writingSince } from './writing-since.ts';

/** How late a backup may be: the time that a run takes, and its attempts. */
const LATE_MS = 2 * 60 * 60_000;

export interface StatusFlags {
  /** A line for each source, however many there are. */
  readonly all?: boolean;
}

interface Asked {
  readonly name: string;
  readonly says: string;
  readonly error?: ErrorReport;
}

/** Whether backups can be made and restored, now: source, targets, newest backup, last run, next run. */
export async function status(context: CommandContext, flags: StatusFlags): Promise<number> {
  const { parts, config, signal, clock, print } = context;
  if (!isOne(context)) return await statusOfAll(context, flags.all ?? false);
  const problems: BackupError[] = [];
  const source = config.source.named ? [await ask(config.source.name, () => askServer(context), problems)] : [];
  const targets: Asked[] = [];
  for (const target of parts.targets) {
    targets.push(
      await ask(
        target.name,
        async () => {
          await target.probe(signal);
          return `usable, ${target.location('full')}`;
        },
        problems,
      ),
    );
  }
  const [next] = nextRuns(context);
  const seen = await overview(parts.status, clock.now(), signal, await writingSince(config));
  const { listing } = seen;
  const ofSource = listing.backups.filter((backup) => !config.source.named || backup.source === config.source.name);
  const newest = ofSource.find(isGood);
  for (const { target, error } of listing.unreachable) {
    if (targets.every(({ name, error: told }) => name !== target || told === undefined)) problems.push(error);
  }
  problems.push(
    ...badBackups(listing),
    ...staleness(newest, longestGap(config.schedule.backup, config.schedule.timeZone), clock.now()),
  );
  const run = await lastRun(context, problems);
  problems.push(...(await undelivered(context)));

  const evidence = await evidenceState(context, problems);

  const now = clock.now();
  // What keeps the ledger from being read is told above.
  const jobs = await jobHistories(parts, await ledgerEntries(parts.evidence(), config.source.name).catch(() => []), now);
  const wal = await walState(context);
  const standing = standingOf(seen, parts.status.objectives, undefined);
  const noted = await parts.status.board?.read().catch((error: unknown) => void problems.push(toBackupError(error)));
  const health = noted?.sources[config.source.name]?.health;
  const later = [...(await parts.status.nextRuns(now))].flatMap(([job, at]) => (at ? [{ job, next: at }] : []));
  print(
    {
      healthy: problems.length === 0,
      source,
      targets,
      backups: counts(listing),
      ...(newest && {
        newest: { ...backupValue(newest), ageMinutes: Math.floor((now.getTime() - newest.started.getTime()) / 60_000) },
      }),
      ...(run && {
        lastRun: {
          location: run.location,
          outcome: run.report.outcome,
          startedAt: run.report.startedAt,
          error: run.report.error,
        },
      }),
      next,
      nextRuns: later,
      jobs: jobs.map(jobValue),
      ...(standing.newestProven && { newestProven: standing.newestProven }),
      ...(standing.recoverableSince !== undefined && { recoverableSince: standing.recoverableSince }),
      ...{ rpo: standing.rpo, rto: standing.rto },
      ...(health && { health }),
      ...(wal && { wal }),
      evidence,
      problems: problems.map(({ message }) => message),
    },
    [
      problems.length === 0 ? 'All is well.' : `Attention: ${problems.map(({ message }) => message).join('; ')}.`,
      ...factLines([
        ...source.map(({ name, says }) => [`source ${name}`, says] as const),
        ...targets.map(({ name, says }) => [`target ${name}`, says] as const),
        ['backups', countsText(listing)],
        [
          'newest good',
          newest
            ? `${newest.label}, ${ageText(newest.started, now)} old, ${bytesText(newest.bytes ?? 0)}, ${newest.state}`
            : 'none',
        ],
        ['newest proven', provenText(standing, now)],
        [
          'recoverable',
          standing.recoverableSince === undefined ? 'no' : `since ${timeText(new Date(standing.recoverableSince))}`,
        ],
        ['RPO', targetText(standing.rpo)],
        ['RTO', targetText(standing.rto)],
        ...walFacts(wal),
        ['last run', run ? `${run.report.outcome}, ${timeText(new Date(run.report.startedAt))}, ${run.location}` : 'none'],
        ['evidence', evidenceText(evidence)],
        ['health', healthText(health)],
      ]),
      ...jobLines(jobs),
    ],
  );
  return problems[0]?.exitStatus ?? 0;
}

function provenText({ newestProven }: Pick<SourceStatus, 'newestProven'>, now: Date): string {
  if (!newestProven) return 'none: no drill has proven that a backup restores (`backup-manager monthly-drill`)';
  return `${newestProven.label}, ${ageText(new Date(newestProven.provenAt), now)} ago`;
}

function targetText({ targetMinutes, minutes }: SourceStatus['rto']): string {
  const target = `target ${durationText(targetMinutes * 60_000)}`;
  if (minutes === undefined) return `not known, ${target}`;
  return `${durationText(minutes * 60_000)}, ${target}${minutes > targetMinutes ? ': MISSED' : ''}`;
}

/** What the last check warned of; what failed in it may have been mended since. */
function healthText(health: SourceStatus['health']): string {
  if (!health) return 'not looked at yet (`backup-manager health`)';
  const bad = health.checks.filter(({ verdict }) => verdict !== 'ok');
  const names = bad.map(({ check, object, verdict }) => `${[check, object].filter(Boolean).join(' ')} (${verdict})`);
  return `${names.length === 0 ? 'all checks well' : names.join(', ')}, ${timeText(new Date(health.checkedAt))}`;
}

async function ask(name: string, question: () => Promise<string>, problems: BackupError[]): Promise<Asked> {
  try {
    return { name, says: await question() };
  } catch (thrown) {
    const error = toBackupError(thrown);
    problems.push(error);
    return { name, says: error.message, error: errorReport(error) };
  }
}

async function askServer({ parts }: CommandContext): Promise<string> {
  const { version, standby } = await withClient(parts.connection, readServerFacts);
  const { host, port, database } = parts.connection;
  return `PostgreSQL ${version}${standby ? ' (standby)' : ''}, database ${database} on ${host}:${port}`;
}

/** Alerts that nobody got: silence would look like health. */
async function undelivered({ program, chosen, signal }: CommandContext): Promise<BackupError[]> {
  const { alerts } = program.alerting;
  if (alerts.channels.length === 0 && chosen.every(({ alerting }) => alerting.pingers.size === 0)) return [];
  try {
    const state = await alerts.state(signal);
    return state.undelivered.map((each) => new BackupError('ALERT_FAILED', undeliveredLine(each)));
  } catch (error) {
    signal.throwIfAborted();
    return [toBackupError(error)];
  }
}

async function lastRun({ parts, config, signal }: CommandContext, problems: BackupError[]): Promise<FoundReport | undefined> {
  try {
    const found = await lastBackupReport(parts.reports, config.source.named ? config.source.name : undefined, signal);
    if (found && found.report.outcome !== 'success') {
      problems.push(
        new BackupError(
          'BACKUP_INCOMPLETE',
          `the last run ended with ${found.report.outcome}: ${found.report.error?.message ?? ''}`,
        ),
      );
    }
    return found;
  } catch (error) {
    signal.throwIfAborted();
    problems.push(toBackupError(error));
    return undefined;
  }
}

/** Whether the newest good backup is older than it can be when every run of the schedule made one. */
export function staleness(newest: Pick<Backup, 'started'> | undefined, gapMs: number | undefined, now: Date): BackupError[] {
  if (!newest) return [new BackupError('BACKUP_UNKNOWN', 'there is no good backup')];
  if (gapMs === undefined || now.getTime() - newest.started.getTime() <= gapMs + LATE_MS) return [];
  const age = ageText(newest.started, now);
  const gap = ageText(new Date(now.getTime() - gapMs), now);
  return [
    new BackupError('BACKUP_UNKNOWN', `the newest good backup is ${age} old, and the schedule makes one at least every ${gap}`),
  ];
}

function nextRuns({ config, clock, log }: Pick<CommandContext, 'config' | 'clock' | 'log'>) {
  const job: Job = { name: 'nightly-backup', run: () => Promise.reject(new Error('only asked for its times')) };
  return createScheduler([{ job, expression: config.schedule.backup, timeZone: config.schedule.timeZone }], {
    clock,
    log,
  }).nextRuns();
}

function counts({ backups }: Listing): Record<string, number> {
  const byState: Record<string, number> = {};
  for (const { state } of backups) byState[state] = (byState[state] ?? 0) + 1;
  return byState;
}

function countsText(listing: Listing): string {
  const parts = Object.entries(counts(listing)).map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}
