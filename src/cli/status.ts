import { isGood, type Backup, type BackupState } from '../catalog/backup.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import { BackupError, toBackupError, type ErrorCode } from '../errors.ts';
import type { Job } from '../jobs/job.ts';
import { withClient } from '../postgres/connection.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import { lastBackupReport, type FoundReport } from '../report/last-report.ts';
import { createScheduler, longestGap } from '../scheduler.ts';
import type { CommandContext } from './command.ts';
import { evidenceState, evidenceText } from './evidence-state.ts';
import { backupValue } from './list-backups.ts';
import { undeliveredLine } from './notify.ts';
import { ageText, bytesText, timeText } from '../quantities.ts';
import { factLines } from './table.ts';

/** States that are a problem, with the code that they end with. `incomplete` is told by the run that made it. */
const BAD_STATES: Partial<Record<BackupState, ErrorCode>> = {
  damaged: 'BACKUP_DAMAGED',
  unindexed: 'BACKUP_DAMAGED',
  'newer-format': 'BACKUP_FORMAT',
  unknown: 'STORAGE_UNAVAILABLE',
};
/** How late a backup may be: the time that a run takes, and its attempts. */
const LATE_MS = 2 * 60 * 60_000;
/** How many labels a problem lists. */
const LISTED = 3;

interface Health {
  readonly name: string;
  readonly says: string;
  readonly error?: ErrorReport;
}

/** Whether backups can be made and restored, now: source, targets, newest backup, last run, next run. */
export async function status(context: CommandContext): Promise<number> {
  const { parts, config, signal, clock, print } = context;
  const problems: BackupError[] = [];
  const source = config.source.named ? [await health(config.source.name, () => askServer(context), problems)] : [];
  const targets: Health[] = [];
  for (const target of parts.targets) {
    targets.push(
      await health(
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
  const listing = await listBackups(parts.targets, { allowUnreachable: true, signal });
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
        ['last run', run ? `${run.report.outcome}, ${timeText(new Date(run.report.startedAt))}, ${run.location}` : 'none'],
        ['evidence', evidenceText(evidence)],
        ['next run', next?.next ? `${timeText(next.next)} (${next.schedule}, ${next.timeZone}), if the daemon runs` : 'never'],
      ]),
    ],
  );
  return problems[0]?.exitStatus ?? 0;
}

async function health(name: string, ask: () => Promise<string>, problems: BackupError[]): Promise<Health> {
  try {
    return { name, says: await ask() };
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
async function undelivered({ parts, signal }: CommandContext): Promise<BackupError[]> {
  const { alerts, pingers } = parts.alerting;
  if (alerts.channels.length === 0 && pingers.size === 0) return [];
  try {
    const state = await alerts.state(signal);
    return state.undelivered.map((each) => new BackupError('ALERT_FAILED', undeliveredLine(each)));
  } catch (error) {
    signal.throwIfAborted();
    return [toBackupError(error)];
  }
}

async function lastRun({ parts, signal }: CommandContext, problems: BackupError[]): Promise<FoundReport | undefined> {
  try {
    const found = await lastBackupReport(parts.reports, signal);
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

/** One problem for each state that says that something of what was stored cannot be relied on. */
export function badBackups({ backups }: Pick<Listing, 'backups'>): BackupError[] {
  return Object.entries(BAD_STATES).flatMap(([state, code]) => {
    const labels = backups.filter((backup) => backup.state === state).map(({ label }) => label);
    if (labels.length === 0) return [];
    const more = labels.length > LISTED ? ` and ${labels.length - LISTED} more` : '';
    return [new BackupError(code, `${labels.length} ${state} (${labels.slice(0, LISTED).join(', ')}${more})`)];
  });
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

function nextRuns({ config, clock, log }: CommandContext) {
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
