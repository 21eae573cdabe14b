import { isGood } from '../../../src/catalog/backup.ts';
import { listBackups } from '../../../src/catalog/catalog.ts';
import { pinBackup } from '../../../src/catalog/pins.ts';
import type { Job, JobContext, JobOutcome } from '../../../src/jobs/job.ts';
import { createWeeklyCleanup } from '../../../src/jobs/weekly-cleanup.ts';
import { jsonFile, writeReport, writeReportFiles } from '../../../src/report/report-file.ts';
import { putBytes } from '../make-backup.ts';
import { storeSample } from '../stored-backups.ts';
import { keysOf } from './account.ts';
import type { World } from './world.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A dump whose key ends so, and nothing of its side files. */
const DUMP = /\.sql\.gz$/;

/** Waits while time passes; throws the signal's reason. */
export type Nap = (ms: number, signal: AbortSignal) => Promise<void>;

interface Traces {
  readonly dumps: ReadonlySet<string>;
  readonly copies: readonly { readonly label: string; readonly key: string }[];
}

type Outcome = JobOutcome['outcome'];

/** The jobs of a simulated daemon: the clean-up is the real one, the others are their outward acts. */
export function jobsOf(world: World, nap: Nap): Record<'nightlyBackup' | 'weeklyCleanup' | 'restoreDrill' | 'healthCheck', Job> {
  const { random, chance, targets, places, account } = world;
  const signalless = new AbortController().signal;

  return {
    nightlyBackup: {
      name: 'nightly-backup',
      async run(context) {
        const started = context.clock.now();
        // One in a hundred takes longer than a day.
        const isLong = chance(0.01) || isOwed(account.long);
        const minutes = isLong ? 1500 : 3 + random() * 90;
        const without = targetOutOfReach(started.getTime());
        const fate = chance(0.08) ? 'failure' : without !== undefined ? 'incomplete' : 'success';
        const to = targets.filter(({ name }) => name !== without);
        const own = { label: '', outcome: fate as Outcome };
        try {
          await nap(minutes * MINUTE_MS, context.signal);
          if (isLong) account.long.add(started.getTime());
          if (fate !== 'failure') {
            const { key } = await storeSample(to, started, { manifest: false });
            account.bare.set(key, { time: started.getTime(), targets: to.map(({ name }) => name) });
            await nap(random() * 60 * MINUTE_MS, context.signal);
            if (isOwed(account.bare)) throw new Error('a time limit ended it before its manifest');
            const { label } = await storeSample(to, started);
            account.bare.delete(key);
            const cut = chance(0.1) ? await cutOff(key, to) : undefined;
            const whole = to.map(({ name }) => name).filter((name) => name !== cut);
            account.good.push({ label, key, time: started.getTime(), targets: whole });
            if (cut !== undefined) account.cut.push({ label, key, time: started.getTime(), targets: [cut] });
            own.label = label;
            if (chance(0.02) || isOwed(account.pinned)) {
              await pinBackup(targets, key, { pinnedAt: started.toISOString() });
              account.pinned.add(key);
            }
          }
        } catch {
          own.outcome = 'aborted';
        }
        return await reported('backup', context, started, own.outcome, { label: own.label });
      },
    },

    restoreDrill: {
      name: 'restore-drill',
      async run(context) {
        const started = context.clock.now();
        let outcome: Outcome = chance(0.15) ? 'failure' : 'success';
        const { backups } = await listBackups(targets, { signal: signalless });
        const backup = backups.find(isGood);
        if (!backup) outcome = 'inconclusive';
        await nap(30 * MINUTE_MS, context.signal).catch(() => (outcome = 'aborted'));
        const report = { ...facts('restore-drill', context, started, outcome), status: outcome };
        const text = jsonFile({ ...report, drill_timestamp: started.toISOString(), backup: { label: backup?.label } });
        const [location] = await writeReportFiles('monthly_drill', { started }, () => [text], places);
        if (outcome === 'success') {
          const holders = backup!.copies.filter(({ state }) => state === 'whole').map(({ target }) => target);
          account.proofs.push({
            key: backup!.key,
            time: backup!.manifest ? Date.parse(backup!.manifest.snapshot.time) : 0,
            targets: holders,
          });
        }
        return { outcome, exitStatus: outcome === 'success' ? 0 : 3, report: location! };
      },
    },

    healthCheck: {
      name: 'health-check',
      run: (context) => reported('health', context, context.clock.now(), chance(0.04) ? 'failure' : 'success', {}),
    },

    weeklyCleanup: {
      name: 'weekly-cleanup',
      async run(context) {
        const { trouble, cleanup, wrong } = world;
        trouble.list = chance(0.08);
        trouble.removals = chance(0.1) ? Math.floor(random() * 12) : Infinity;
        const now = context.clock.now().getTime();
        const barriers = new Map(
          targets.map(({ name }) => [name, account.barrier(name, cleanup.sources[0]!.freshnessLimitMs, now)]),
        );
        const lists = trouble.list;
        const outcome = await audited(
          () => createWeeklyCleanup(cleanup).run(context),
          (target, gone) => {
            const barrier = lists ? 'a target could not be listed' : barriers.get(target);
            if (barrier !== undefined && gone > 0) wrong.push(`${gone} went from ${target} although ${barrier}`);
          },
        );
        Object.assign(trouble, { list: false, removals: Infinity });
        wrong.push(
          ...(await account.losses(targets, now)).map(
            (loss) => `after the clean-up of ${context.clock.now().toISOString()}: ${loss}`,
          ),
        );
        return outcome;
      },
    },
  };

  /** What chance alone could keep from every hundred good backups. */
  function isOwed(seen: { readonly size: number }): boolean {
    return seen.size < Math.floor(account.good.length / 100);
  }

  /** Which target no backup gets to: for a night, or for several in a row, so that its newest one grows old. */
  function targetOutOfReach(now: number): string | undefined {
    const { trouble } = world;
    if (now >= trouble.away.until && chance(0.1)) {
      trouble.away = { target: targets[Math.floor(random() * targets.length)]!.name, until: now + random() * 5 * DAY_MS };
    }
    return now < trouble.away.until ? trouble.away.target : undefined;
  }

  /** One target has less of a dump than it was given, and nothing says so. */
  async function cutOff(key: string, to: World['targets']): Promise<string> {
    const target = to[Math.floor(random() * to.length)]!;
    await putBytes(target, key, Buffer.from('less'));
    return target.name;
  }

  /** Counts the copies of which a clean-up leaves nothing, target by target, beside what its report says. */
  async function audited(
    run: () => ReturnType<ReturnType<typeof createWeeklyCleanup>['run']>,
    tell: (target: string, gone: number) => void,
  ): Promise<JobOutcome> {
    const { wrong } = world;
    const before: Traces[] = [];
    for (const target of targets) before.push(await tracesOf(target));
    const outcome = await run();
    let all = 0;
    for (const [at, target] of targets.entries()) {
      const left = await tracesOf(target);
      tell(target.name, [...before[at]!.dumps].filter((key) => !left.dumps.has(key)).length);
      const said = outcome.summary.backups.filter((backup) => backup.target === target.name && backup.result === 'removed');
      const labels = (list: readonly { readonly label: string }[]) => list.map(({ label }) => label).sort();
      const gone = before[at]!.copies.filter(({ key }) => left.copies.every((copy) => copy.key !== key));
      const [counted, told] = [labels(gone).join(), labels(said).join()];
      if (counted !== told) wrong.push(`nothing is left on ${target.name} of ${counted}; the report says so of ${told}`);
      all += said.length;
    }
    if (all !== outcome.summary.removed.copies)
      wrong.push(`the report says ${outcome.summary.removed.copies} in all, and names ${all}`);
    account.saidRemovals += all;
    return outcome;
  }

  /** What is there of dumps, and of which copies of backups there is anything. */
  async function tracesOf(target: World['targets'][number]): Promise<Traces> {
    const { trouble } = world;
    const { list } = trouble;
    trouble.list = false;
    const keys = [...(await keysOf(target))];
    trouble.list = list;
    const stored = [...account.goodOn(target.name), ...account.cutOn(target.name)];
    return {
      dumps: new Set(keys.filter((key) => DUMP.test(key))),
      copies: stored.filter(({ key }) => keys.some((each) => each.startsWith(key))),
    };
  }

  async function reported(kind: string, context: JobContext, started: Date, outcome: Outcome, more: object): Promise<JobOutcome> {
    const job = kind === 'backup' ? 'nightly-backup' : 'health-check';
    const report = await writeReport(kind, { started }, { ...facts(job, context, started, outcome), ...more }, places);
    return { outcome, exitStatus: outcome === 'success' ? 0 : 3, report };
  }
}

function facts(job: string, { clock, slot }: JobContext, started: Date, outcome: Outcome) {
  const times = { startedAt: started.toISOString(), finishedAt: clock.now().toISOString() };
  return { reportVersion: 1, job, outcome, source: 'shop', ...times, ...(slot && { slot: slot.toISOString() }) };
}
