import type { Config } from '../config.ts';
import type { Evidence } from '../jobs/evidence.ts';
import type { HealthCheckParts } from '../jobs/health-parts.ts';
import type { StatusParts } from '../jobs/status-record.ts';
import { findPrograms } from '../postgres/programs.ts';
import { slotsBetween } from '../scheduler.ts';
import type { AlertingTools } from './alerts.ts';
import { jobSchedules } from './job-schedules.ts';
import { objectivesOf } from './objectives.ts';

const DAY_MS = 24 * 60 * 60_000;
/** How far is looked ahead for the next run of a job. */
const AHEAD_MS = 800 * DAY_MS;
/** How long a health check may take until its word is missed. */
const STALE_MS = 30 * 60_000;
/** Of a schedule that never comes again. */
const NEVER_MS = DAY_MS;
/** A week of one backup every five minutes. */
const MOST_RUNS = 2000;
/** How long each look may take. */
const LOOK_MS = 120_000;

/** What the status file says of a source, by its schedule. */
export function statusParts(
  config: Config,
  { wal, ...given }: Pick<StatusParts, 'targets' | 'drillReports' | 'board'> & Pick<HealthCheckParts, 'wal'>,
): StatusParts {
  const { schedule, source, redact } = config;
  const next = (expression: string, now: Date) => nextOf(config, expression, now);
  return {
    ...given,
    source: source.name,
    ...(source.listed && { elsewhere: (name: string) => name !== source.name }),
    objectives: objectivesOf(config),
    nextRuns: async (now) =>
      new Map(Object.entries(await jobSchedules(config, wal)).map(([job, expression]) => [job, next(expression, now)])),
    staleAfter: (now) => new Date((next(schedule.health, now)?.getTime() ?? now.getTime() + NEVER_MS) + STALE_MS),
    redact,
  };
}

/** What the health check works with. */
export function healthParts(
  config: Config,
  status: StatusParts,
  given: Pick<HealthCheckParts, 'connection' | 'findPrograms' | 'reports' | 'reportName' | 'version' | 'wal'> & {
    readonly evidence: Evidence | undefined;
    readonly alerting: AlertingTools;
  },
): HealthCheckParts {
  const { evidence, alerting, ...rest } = given;
  const { targets, paths, programs } = config;
  const { alerts, pingers } = alerting;
  return {
    ...status,
    ...rest,
    findServerPrograms: (serverMajor) => findPrograms({ serverMajor, directories: programs.directories, server: true }),
    local: {
      ...(targets.local && { root: targets.local.directory }),
      ...(paths.status !== undefined && { reports: paths.status }),
    },
    workFolder: paths.work,
    runsUntilRoom: (now) => runsUntilRoom(config, now),
    ...(evidence && { lookAtLedger: (now: Date) => evidence.watch.look(now) }),
    alerts: async (signal) => ({
      channels: [...alerts.channels, ...[...pingers.values()].map(({ name }) => name)],
      undelivered: (await alerts.state(signal)).undelivered,
    }),
    timeoutMs: LOOK_MS,
  };
}

function nextOf({ schedule: { timeZone } }: Pick<Config, 'schedule'>, expression: string, now: Date): Date | undefined {
  const [next] = slotsBetween({ expression, timeZone }, now, new Date(now.getTime() + AHEAD_MS));
  return next;
}

/** The backups from now until the first clean-up after the next one. */
function runsUntilRoom(config: Config, now: Date): Date[] {
  const { backup, cleanup, timeZone } = config.schedule;
  const first = nextOf(config, backup, now);
  if (!first) return [now];
  const room = nextOf(config, cleanup, first) ?? first;
  const runs: Date[] = [];
  for (const run of slotsBetween({ expression: backup, timeZone }, now, room)) if (runs.push(run) >= MOST_RUNS) break;
  return runs;
}
