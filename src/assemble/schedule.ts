import type { Parts, Program } from '../assemble.ts';
import { toBackupError } from '../errors.ts';
import { configOfDatabase, covers, nameOfDatabase } from '../config/choose-source.ts';
import { discover, type Discovery } from '../jobs/discover.ts';
import { createForEachDatabase, type Series } from '../jobs/each-database.ts';
import type { Job, JobContext } from '../jobs/job.ts';
import { lookingAfter } from '../jobs/look-after.ts';
import { Turns, type Claim } from '../jobs/turns.ts';
import { withTurn } from '../jobs/with-turn.ts';
import { keysOf } from '../notify/alert-state.ts';
import { errorReport } from '../report/backup-report.ts';
import { lastDrills } from '../report/last-drills.ts';
import type { ScheduleEntry } from '../scheduler.ts';

/** The jobs of one source, and those of its physical backups, which only a source has whose WAL is streamed. */
export interface JobsOfSource {
  readonly source: string;
  readonly always: readonly ScheduleEntry[];
  readonly physical: readonly ScheduleEntry[];
}

/** What the daemon may run, and when: the jobs of each source, each in its turn. */
export function scheduledJobs(program: Program): JobsOfSource[] {
  const { concurrency } = program.config;
  const turns = new Turns(concurrency.overall);
  const looks = new Turns(concurrency.overall);
  return program.sources.map((parts): JobsOfSource => {
    const { backup, cleanup, drill, health, base, pitrDrill, timeZone, catchUpMs } = parts.config.schedule;
    const always = [
      { job: jobFor('nightly-backup', (each) => each.nightlyBackup()), expression: backup, timeZone, catchUpMs },
      { job: jobFor('weekly-cleanup', (each) => each.weeklyCleanup()), expression: cleanup, timeZone, catchUpMs },
      { job: jobFor('restore-drill', (each) => each.restoreDrill()), expression: drill, timeZone, catchUpMs },
      // One is made at every start.
      { job: jobFor('health-check', (each) => each.healthCheck()), expression: health, timeZone },
    ];
    // Of the server, whatever databases it has.
    const physical = [
      { job: inTurn('base-backup', parts.baseBackup(), parts), expression: base, timeZone, catchUpMs },
      { job: inTurn('pitr-drill', parts.pitrDrill(), parts), expression: pitrDrill, timeZone, catchUpMs },
    ];
    return { source: parts.config.source.name, always, physical };

    function jobFor(name: string, make: (each: Parts) => Job): Job {
      const jobOfParts = (each: Parts): Job => {
        const job = inTurn(name, make(each), each);
        return name === 'nightly-backup' ? lookingAfter(job, each.status, () => each.healthCheck()) : job;
      };
      if (!parts.config.source.every) return jobOfParts(parts);
      const jobOf = (database: string) => jobOfParts(program.of(configOfDatabase(parts.config, database)));
      const find = async (context: JobContext): Promise<Discovery> => {
        const found = await discoverDatabases(parts, context.signal);
        await forgetOthers(parts, found, context);
        return found;
      };
      const series = name === 'restore-drill' ? { series: drillsInSeries(parts) } : {};
      return parts.told(createForEachDatabase({ name, source: parts.config.source.name, discover: find, jobOf, ...series }));
    }
  });

  function inTurn(name: string, job: Job, parts: Parts): Job {
    // A look at how things stand does not wait for those who are at work.
    const own = { turns: name === 'health-check' ? looks : turns, claims: claims(name, parts), evidence: program.evidence() };
    return withTurn(job, own);
  }

  /** What is gone has no backups any more, and that is nobody's fault: the status file drops it, and its alerts are over. */
  async function forgetOthers({ config }: Parts, { databases }: Discovery, { signal, log, clock }: JobContext): Promise<void> {
    const there = new Set(databases.map((database) => nameOfDatabase(config.source.name, database)));
    const isGone = (name: string) => covers(config, name) && !there.has(name);
    const { alerts } = program.alerting;
    try {
      await program.board?.keepOnly((name) => !isGone(name), clock.now());
      if (alerts.channels.length === 0) return;
      const clear = keysOf(await alerts.state(signal)).filter(({ source }) => isGone(source));
      if (clear.length > 0) await alerts.tell({ clear }, { log, clock, signal });
    } catch (error) {
      signal.throwIfAborted();
      log.error(
        { err: toBackupError(error) },
        'databases that are gone may still be in the status file, and alerts of them may stand',
      );
    }
  }

  function claims(name: string, { config: { source } }: Parts): Claim[] {
    const own = { name: `source ${source.name}`, atMost: 1 };
    const { host, port } = source.connection;
    if (name === 'nightly-backup' || name === 'base-backup')
      return [own, { name: `server ${host}:${port}`, atMost: concurrency.perServer }];
    // One at a time by its lock: who came second would find it taken.
    return name === 'restore-drill' || name === 'pitr-drill' ? [{ name: 'drill', atMost: 1 }] : [own];
  }
}

/** Who was drilled longest ago, or never, comes first: when time runs out, the others do the next time. */
function drillsInSeries({ config, drillReports }: Parts): Series {
  return {
    budgetMs: config.drill.budgetMs,
    order: async (databases, { log, signal }) => {
      const last = await lastDrills(drillReports, signal, (place, error) => {
        log.warn({ place, ...errorReport(error) }, 'when databases were drilled last is not known of this place');
      });
      const lastOf = (database: string) => last.get(nameOfDatabase(config.source.name, database)) ?? 0;
      return databases.toSorted((a, b) => lastOf(a) - lastOf(b));
    },
  };
}

/** What a source that stands for every database of a server stands for now. */
export function discoverDatabases({ config, connection, targets }: Parts, signal: AbortSignal): Promise<Discovery> {
  const { name, every } = config.source;
  const nameOf = (database: string) => nameOfDatabase(name, database);
  return discover({ source: name, connection, exclude: every?.exclude ?? [], targets, nameOf }, signal);
}
