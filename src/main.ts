#!/usr/bin/env -S node --max-semi-space-size=4
// The daemon: reads the configuration, schedules the jobs, and ends cleanly when told to.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assembleAll, type Parts, type Program } from './assemble.ts';
import { dueRuns, missedBefore, ranBefore } from './assemble/at-start.ts';
import { CurrentSchedule } from './assemble/current-schedule.ts';
import { firstBase } from './assemble/first-base.ts';
import { scheduledJobs } from './assemble/schedule.ts';
import { sharedByAll } from './assemble/shared-causes.ts';
import { endAlertsOfStream } from './assemble/stream-alerts.ts';
import { startProblems, tellOfFailedStart } from './assemble/start-failure.ts';
import { errorBlock } from './cli/error-block.ts';
import { systemClock } from './clock.ts';
import { loadConfigs, processEnvironment, type SharedConfig } from './config.ts';
import { covers } from './config/choose-source.ts';
import { readNotifyPart } from './config/notify-part.ts';
import { BackupError, toBackupError } from './errors.ts';
import { startHeartbeat } from './heartbeat.ts';
import type { Beginning, Evidence } from './jobs/evidence.ts';
import { lostSlot } from './jobs/with-alerts.ts';
import { createLog, type Log } from './log.ts';
import { createLogFile, LOG_FILE, type LogFile } from './log-file.ts';
import { keysOf } from './notify/alert-state.ts';
import type { AlertContext } from './notify/alerts.ts';
import { keepDelivering, REDELIVERY_MS } from './notify/keep-delivering.ts';
import { errorReport } from './report/backup-report.ts';
import type { ScheduledJob } from './report/ledger-entry.ts';
import { HEARTBEAT_FILE } from './report/source-status.ts';
import { createScheduler, type ScheduleEntry } from './scheduler.ts';
import { isStreamed } from './wal/stream-state.ts';

/** Docker waits ten seconds between SIGTERM and SIGKILL. */
const DRAIN_MS = 9_000;
/** A second signal, or a run that did not end in time. */
const FORCED = 1;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const options = { env: processEnvironment(), configDirectory: fileURLToPath(new URL('../config', import.meta.url)) };
try {
  run();
} catch (error) {
  const failure = toBackupError(error);
  console.error(errorBlock(failure));
  process.exitCode = failure.exitStatus;
  await tellOfFailedStart(failure, readNotifyPart(options));
}

function run(): void {
  const configs = loadConfigs(options);
  const { shared } = configs;
  const file = logFile(shared);
  const destination = {
    write(line: string): void {
      process.stdout.write(line);
      file?.write(line);
    },
  };
  const log = createLog(shared.log.level, { redact: shared.redact, destination });
  const program = assembleAll(configs);
  const schedule = new CurrentSchedule(scheduledJobs(program));
  const evidence = program.evidence();
  const { alerts } = program.alerting;
  const names = program.sources.map(({ config }) => config.source.name);
  const daemon = sharedByAll('the daemon', configs.sources);
  const stopped = new AbortController();
  const telling = { log, clock: systemClock, signal: stopped.signal };
  const scheduler = createScheduler(schedule.all, {
    clock: systemClock,
    log,
    onLostSlot: async (job, slot, state, why) => {
      // One that was skipped came while the run before it was still at work.
      const told = alerts.tell(lostSlot(job, slot, why, state === 'missed' ? daemon : undefined), telling);
      await evidence?.enter({ job: job.name, source: job.source, slot, state, why });
      await told;
    },
  });

  const streams: Promise<void>[] = [];
  const startStreams = (): void => {
    for (const parts of program.sources.filter(({ config }) => config.pitr.enabled !== false)) {
      const { name } = parts.config.source;
      const onTurn = (on: true | string): void => {
        if (schedule.turn(name, on === true)) rescheduled = rescheduled.then(reschedule);
        if (on !== true) void endAlertsOfStream(parts.config, alerts, on, telling);
      };
      const onArrival = (lsn: string): void => void rescheduled.then(async () => await makeFirstBase(parts, lsn));
      streams.push(parts.streamWal({ ...telling, log: log.child({ source: name }), onTurn, onArrival }));
    }
  };

  /** Without one nothing of what is streamed could be recovered before the next of the schedule. */
  const makeFirstBase = async (parts: Parts, lsn: string): Promise<void> => {
    try {
      scheduler.makeUp(await firstBase(parts, schedule.entries, lsn, stopped.signal));
    } catch (error) {
      if (!stopping) log.error({ err: toBackupError(error) }, 'whether a physical backup is due could not be found out');
    }
  };

  let rescheduled = Promise.resolve();
  /** With physical backups where WAL has begun to be streamed, and without where it is not any more. */
  const reschedule = async (): Promise<void> => {
    const { entries } = schedule;
    const since = await evidence?.reschedule(schedulesOf(entries)).catch((error: unknown) => {
      log.error({ ledger: evidence.ledger.path, ...errorReport(toBackupError(error)) }, 'evidence: the ledger cannot be written');
      return undefined;
    });
    if (stopping) return;
    scheduler.reschedule(entries, since);
    log.info({ jobs: scheduler.nextRuns() }, 'scheduled anew');
  };

  let stopping = false;
  const onSignal = (name: NodeJS.Signals) => {
    if (stopping) {
      log.warn({ signal: name }, 'forced to end; what is left of a running backup is swept by the next one');
      process.exit(FORCED);
    }
    stopping = true;
    log.info({ signal: name }, 'stopping');
    void stop(name);
  };
  const stop = async (name: string) => {
    const timer = setTimeout(() => {
      log.error('a run did not end in time; what is left of it is swept by the next one');
      process.exit(FORCED);
    }, DRAIN_MS);
    stopped.abort();
    const ended = await scheduler.stop(new BackupError('ABORTED', `stopped by ${name}`));
    await looking;
    await Promise.all(streams);
    await rescheduled;
    program.close();
    clearTimeout(timer);
    const aborted = ended.find(({ outcome }) => outcome === 'aborted');
    log.info({ aborted: aborted !== undefined }, 'stopped');
    // Not by letting the loop run out: an attempt to connect may still be waiting for its answer.
    process.exit(aborted?.exitStatus ?? 0);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  let looking: Promise<void> | undefined;
  void begin();

  /** So that whoever asks how things stand need not wait for the first run of the schedule. */
  async function lookOnce(): Promise<void> {
    for (const { job } of schedule.entries.filter(({ job: { name } }) => name === 'health-check')) {
      if (stopping) return;
      const context = { signal: stopped.signal, log: log.child({ job: job.name, source: job.source }), clock: systemClock };
      await job.run(context).catch((error: unknown) => log.error({ err: toBackupError(error) }, 'the health check broke'));
    }
  }

  async function begin(): Promise<void> {
    if (alerts.channels.length > 0) {
      void clearAtStart(program, telling);
      for (const { config } of program.sources.filter(({ config: { pitr } }) => pitr.enabled === false)) {
        void endAlertsOfStream(config, alerts, 'point-in-time recovery is off (PITR_ENABLED=false)', telling);
      }
      void keepDelivering(alerts, REDELIVERY_MS, telling);
    }
    await beginStatus(program, log);
    for (const { config, wal } of program.sources) {
      // What cannot be read now is decided anew in a moment.
      schedule.turn(config.source.name, await isStreamed(wal).catch(() => false));
    }
    const { entries } = schedule;
    scheduler.reschedule(entries);
    const beginning = await beginEvidence(evidence, entries, program.version, log);
    if (stopping) return;
    scheduler.start(beginning && { since: beginning.time, ran: ranBefore(entries, beginning) });
    // First, so that the look finds them at work.
    startStreams();
    looking = lookOnce();
    log.info(
      {
        version: program.version,
        ...(names.length === 1 ? { source: names[0] } : { sources: names }),
        targets: [...new Set(program.sources.flatMap(({ targets }) => targets.map(({ name }) => name)))],
        jobs: scheduler.nextRuns(),
      },
      'scheduled',
    );
    void makeUp(beginning, entries);
  }

  /** Tells of what was missed while no daemon ran, and runs what is due for it. Looking for backups may take a while. */
  async function makeUp(beginning: Beginning | undefined, entries: readonly ScheduleEntry[]): Promise<void> {
    for (const { job, slot, why } of beginning ? missedBefore(entries, beginning) : []) {
      log.warn({ job: job.name, source: job.source, slot: slot.toISOString() }, `missed: ${why}`);
      void alerts.tell(lostSlot(job, slot, why, daemon), telling);
    }
    try {
      const { sources } = program;
      const { staggerMs } = sources[0]!.config.schedule;
      const now = beginning?.time ?? systemClock.now();
      const due = await dueRuns({ sources, entries, beginning, now, staggerMs, signal: stopped.signal });
      if (due.length === 0) log.info('nothing is due at the start');
      scheduler.makeUp(due);
    } catch (error) {
      if (!stopping) log.error({ err: toBackupError(error) }, 'what is due at the start could not be found out');
    }
  }
}

/** That it did not start is over; and nobody is to hear of sources that are not configured any more. */
async function clearAtStart({ alerting: { alerts }, sources }: Program, context: AlertContext): Promise<void> {
  // Without it an alert is kept that nobody needs.
  const standing = await alerts.state(context.signal).then(keysOf, () => []);
  const isThere = (name: string) => sources.some(({ config }) => config.source.name === name || covers(config, name));
  const gone = standing.filter(({ source, job }) => job !== 'daemon' && !isThere(source));
  const names = sources.map(({ config }) => config.source.name);
  await alerts.tell({ clear: [...startProblems(names), ...gone] }, context);
}

/** Beside the reports; standard output has the same lines. */
function logFile({ paths, log }: SharedConfig): LogFile | undefined {
  if (paths.status === undefined) return undefined;
  return createLogFile({ path: join(paths.status, LOG_FILE), bytes: log.fileBytes, files: log.files });
}

/** Shows that the daemon lives, and drops sources that are not configured any more from the status file. */
async function beginStatus({ board, config: shared, sources }: Program, log: Log): Promise<void> {
  if (!board || shared.paths.status === undefined) {
    log.warn('no status.json and no daemon.log are kept: without a backup directory, BACKUP_REPORT_DIR has to name a folder');
    return;
  }
  startHeartbeat(join(shared.paths.status, HEARTBEAT_FILE), systemClock, (error) => {
    log.error({ ...errorReport(toBackupError(error)) }, 'the file that shows that the daemon lives cannot be written');
  });
  try {
    await board.keepOnly((name) => sources.some(({ config }) => covers(config, name)), systemClock.now());
  } catch (error) {
    log.error({ path: board.path, ...errorReport(toBackupError(error)) }, 'the status file could not be written');
  }
}

/** As the ledger has them. */
function schedulesOf(entries: readonly ScheduleEntry[]): ScheduledJob[] {
  return entries.map(({ job, expression, timeZone }) => ({
    ...{ job: job.name, expression, timeZone },
    ...(job.source !== undefined && { source: job.source }),
  }));
}

/** A ledger that cannot be written keeps no backup from being made: every run will say so again. */
async function beginEvidence(
  evidence: Evidence | undefined,
  entries: readonly ScheduleEntry[],
  version: string,
  log: Log,
): Promise<Beginning | undefined> {
  if (!evidence) {
    log.warn('no evidence is kept: without a backup directory, BACKUP_REPORT_DIR has to name a folder for it');
    return undefined;
  }
  const { path, key } = evidence.ledger;
  try {
    const beginning = await evidence.begin(schedulesOf(entries), version);
    if (key !== undefined) log.info({ ledger: path, key }, 'evidence: entries are signed');
    else log.warn({ ledger: path }, 'evidence: entries are chained but NOT signed; `backup-manager evidence keygen` makes a key');
    return beginning;
  } catch (error) {
    log.error({ ledger: path, ...errorReport(toBackupError(error)) }, 'evidence: the ledger cannot be written');
    return undefined;
  }
}
