import { isGood } from '../catalog/backup.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Job } from '../jobs/job.ts';
import { withClient } from '../postgres/connection.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport, type ErrorReport } from '../report/backup-report.ts';
import { lastBackupReport, type FoundReport } from '../report/last-report.ts';
import { createScheduler } from '../scheduler.ts';
import type { CommandContext } from './command.ts';
import { backupValue } from './list-backups.ts';
import { ageText, bytesText, timeText } from './quantities.ts';
import { factLines } from './table.ts';

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
  const listing = await listBackups(parts.targets, { allowUnreachable: true, signal });
  const ofSource = listing.backups.filter((backup) => !config.source.named || backup.source === config.source.name);
  const newest = ofSource.find(isGood);
  if (!newest) problems.push(new BackupError('BACKUP_UNKNOWN', 'there is no good backup'));
  const run = await lastRun(context, problems);
  const [next] = nextRuns(context);

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
