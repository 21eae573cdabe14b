#!/usr/bin/env node
// The daemon: reads the configuration, schedules the jobs, and ends cleanly when told to.
import { fileURLToPath } from 'node:url';
import { assemble } from './assemble.ts';
import { startProblems, tellOfFailedStart } from './assemble/start-failure.ts';
import { errorBlock } from './cli/error-block.ts';
import { systemClock } from './clock.ts';
import { loadConfig, processEnvironment } from './config.ts';
import { readNotifyPart } from './config/notify-part.ts';
import { BackupError, toBackupError } from './errors.ts';
import { createLog } from './log.ts';
import { keepDelivering, REDELIVERY_MS } from './notify/keep-delivering.ts';
import { createScheduler } from './scheduler.ts';

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
  const config = loadConfig(options);
  const log = createLog(config.log.level, { redact: config.redact });
  const parts = assemble(config);
  const { backup, cleanup, drill, timeZone } = config.schedule;
  const entries = [
    { job: parts.nightlyBackup(), expression: backup, timeZone },
    { job: parts.weeklyCleanup(), expression: cleanup, timeZone },
    { job: parts.restoreDrill(), expression: drill, timeZone },
  ];
  const { alerts } = parts.alerting;
  const stopped = new AbortController();
  const scheduler = createScheduler(entries, { clock: systemClock, log });

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
    parts.close();
    clearTimeout(timer);
    const aborted = ended.find(({ outcome }) => outcome === 'aborted');
    log.info({ aborted: aborted !== undefined }, 'stopped');
    // Not by letting the loop run out: an attempt to connect may still be waiting for its answer.
    process.exit(aborted?.exitStatus ?? 0);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);

  if (alerts.channels.length > 0) {
    const telling = { log, clock: systemClock, signal: stopped.signal };
    void alerts.tell({ clear: startProblems(config.source.name) }, telling);
    void keepDelivering(alerts, REDELIVERY_MS, telling);
  }
  scheduler.start();
  log.info(
    {
      version: parts.version,
      source: config.source.name,
      targets: parts.targets.map(({ name }) => name),
      jobs: scheduler.nextRuns(),
    },
    'scheduled',
  );
}
