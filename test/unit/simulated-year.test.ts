import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readObject } from '../../src/catalog/catalog.ts';
import { parseReportName } from '../../src/catalog/report-names.ts';
import type { LedgerEntry } from '../../src/report/ledger-entry.ts';
import { sha256Of } from '../../src/report/ledger-line.ts';
import { runHistory } from '../../src/report/run-history.ts';
import { verifyLedger } from '../../src/report/verify-ledger.ts';
import { nextSlot, slotsBetween } from '../../src/scheduler.ts';
import { keysOf, type SeenRun } from '../support/year/account.ts';
import { DAY_MS, liveThrough } from '../support/year/live.ts';
import { createWorld, type World } from '../support/year/world.ts';

/** Nothing has to outlast a crash here, and a disk's own pace is no part of the test. */
const MEMORY = '/dev/shm';
/** A year each. */
const FIRST = Number(process.env['SIMULATED_SEED'] ?? 1);
const SEEDS = Array.from({ length: Number(process.env['SIMULATED_YEARS'] ?? 1) }, (_, at) => FIRST + at);
const HOUR_MS = 3_600_000;
const ON_TIME_MS = 60_000;
const END = new Date('2027-01-01T00:00:00Z');
const JOBS = ['nightly-backup', 'weekly-cleanup', 'restore-drill', 'health-check'];

/** When jobs are due, told without the scheduler: by the days of the calendar. */
const DUE: Record<string, (hour: number, date: Date) => boolean> = {
  'nightly-backup': (hour) => hour === 2,
  'weekly-cleanup': (hour, date) => hour === 3 && date.getUTCDay() === 0,
  'restore-drill': (hour, date) => hour === 4 && date.getUTCDay() === 0 && date.getUTCDate() <= 7,
  'health-check': (hour) => hour % 12 === 0,
};

const STATES: Record<string, string> = {
  success: 'done',
  incomplete: 'done',
  aborted: 'aborted',
  failure: 'failed',
  inconclusive: 'failed',
};

describe.each(SEEDS)('A year of nights, with downtime, failures and clean-ups (seed %d)', (seed) => {
  let folder: string;
  let world: World;
  let entries: LedgerEntry[];
  let due: { readonly job: string; readonly slot: number }[];

  beforeAll(async () => {
    folder = await mkdtemp(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'year-test-'));
    world = createWorld(seed, folder);
    await mkdir(world.folder);
    await liveThrough(world, END);
    const text = await readFile(join(world.folder, 'ledger.jsonl'), 'utf8');
    entries = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as LedgerEntry);
    const { from } = world.account.awake[0]!;
    due = JOBS.flatMap((job) => slotsOf(job, from, world.account.awake.at(-1)!.to).map((slot) => ({ job, slot })));
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('has had all that it is to try', () => {
    const { account } = world;
    const outcomes = new Set(account.runs.map(({ ended }) => ended?.outcome));
    expect([...outcomes].sort()).toEqual(['aborted', 'failure', 'incomplete', 'success', undefined]);
    expect(account.awake.length).toBeGreaterThan(30);
    expect(account.bare.size).toBeGreaterThan(0);
    expect(account.pinned.size).toBeGreaterThan(0);
    expect(account.cut.length).toBeGreaterThan(10);
    expect(account.proofs.length).toBeGreaterThan(4);
    expect(account.saidRemovals).toBeGreaterThan(300);
    for (const state of ['done', 'failed', 'aborted', 'missed', 'skipped']) {
      expect(entries.some((entry) => entry.kind === 'job' && entry.state === state)).toBe(true);
    }
  });

  test('loses on no day and in no clean-up what has to stay', () => {
    expect(world.wrong).toEqual([]);
  });

  test('has one entry in the ledger for every slot, with what became of it', () => {
    const bySlot = Map.groupBy(
      entries.flatMap((entry) => (entry.kind === 'job' && entry.slot !== undefined ? [entry] : [])),
      ({ job, slot }) => `${job} ${Date.parse(slot!)}`,
    );
    const odd = due.flatMap(({ job, slot }) => {
      const found = bySlot.get(`${job} ${slot}`) ?? [];
      const says = found.map(({ state }) => state).join();
      const allowed = stateOf(job, slot);
      return allowed.includes(says) ? [] : [`${job} ${new Date(slot).toISOString()}: ${says}, not ${allowed.join(' or ')}`];
    });
    expect(odd).toEqual([]);
    expect(bySlot.size).toBe(due.length);
  });

  test('has one entry for every run that came to its end, with its report', async () => {
    const ended = JOBS.flatMap((job) => world.account.endedRuns(job)).sort((a, b) => a.fired - b.fired);
    const runs = entries.flatMap((entry) => (entry.kind === 'job' && entry.startedAt !== undefined ? [entry] : []));
    const told = (list: readonly { readonly job: string; readonly result: string }[]) =>
      list.map(({ job, result }) => `${job} ${result}`).sort();
    expect(told(runs.map(({ job, result }) => ({ job, result: result! })))).toEqual(
      told(ended.map(({ job, ended: end }) => ({ job, result: end!.outcome }))),
    );
    const removed = new Set(entries.flatMap((entry) => (entry.kind === 'reports removed' ? entry.files : [])));
    const base = world.reports.location('x').slice(0, -1);
    let gone = 0;
    for (const { report } of runs) {
      const key = report!.file.slice(base.length);
      if (removed.has(report!.file)) {
        gone += 1;
        expect(await world.reports.head(key)).toBeUndefined();
      } else expect(sha256Of(await readObject(world.reports, key))).toBe(report!.sha256);
    }
    expect([gone, (await keysOf(world.reports, 'logs/')).size]).toEqual([removed.size, runs.length - removed.size]);
  });

  test('ends with a ledger that a verification finds whole', async () => {
    const verdict = await verifyLedger({
      ...{ folder: world.folder, keys: [world.publicKey], now: world.time.now(), slotsBetween },
      ...{ targets: world.targets, signal: new AbortController().signal },
    });
    expect(verdict.breaks).toEqual([]);
    expect(verdict).toMatchObject({ entries: entries.length, slots: due.length, signatures: { signed: entries.length } });
  });

  test('leaves in its reports the numbers that were counted beside it', async () => {
    const { account, targets, reports } = world;
    // Copies of which nothing is left, by what was stored.
    let vanished = 0;
    for (const target of targets) {
      const keys = [...(await keysOf(target))];
      const stored = [...account.goodOn(target.name), ...account.cutOn(target.name)];
      vanished += stored.filter(({ key }) => keys.every((each) => !each.startsWith(key))).length;
    }
    const says: Record<string, unknown>[] = [];
    for (const key of await keysOf(reports, 'logs/')) says.push(JSON.parse((await readObject(reports, key)).toString('utf8')));
    const cleanups = says.filter(({ job }) => job === 'weekly-cleanup') as unknown as { removed: { copies: number } }[];
    expect(cleanups.reduce((sum, { removed }) => sum + removed.copies, 0)).toBe(vanished);
    for (const job of JOBS.filter((each) => each !== 'health-check')) {
      const outcomes = says.filter((each) => each['job'] === job).map(({ outcome, status }) => String(outcome ?? status));
      expect(tally(outcomes)).toEqual(tally(account.endedRuns(job).map(({ ended }) => ended!.outcome)));
    }
  });

  test('keeps of old hourly reports the last of each day, and those that tell of trouble', async () => {
    const { account, reports } = world;
    const worked = account.endedRuns('weekly-cleanup').filter(({ ended }) => ['success', 'incomplete'].includes(ended!.outcome));
    const thinned = Math.max(...worked.map(({ fired }) => fired)) - 32 * DAY_MS;
    const runs = account.endedRuns('health-check').map(({ ended }) => ended!);
    const lastOfDay = new Map(runs.map(({ at }) => [Math.floor(at / DAY_MS), at]));
    const stay = runs.filter(({ at, outcome }) => outcome !== 'success' || lastOfDay.get(Math.floor(at / DAY_MS)) === at);
    const there = [...(await keysOf(reports, 'logs/health_report_'))].map(
      (key) => parseReportName(key.slice('logs/'.length))!.time,
    );
    const old = (times: readonly number[]) => times.filter((time) => time < thinned).sort((a, b) => a - b);
    expect(old(there)).toEqual(old(stay.map(({ at }) => at)));
    expect(there).toEqual(expect.arrayContaining(stay.map(({ at }) => at)));
  });

  test('has a history that tells of each job what the last run was', () => {
    const schedules = entries.findLast(({ kind }) => kind === 'schedule') as Extract<LedgerEntry, { kind: 'schedule' }>;
    const options = { now: world.time.now(), nextSlot, slotsBetween, owedWithinMs: 0 };
    for (const { schedule, last, lastSuccess } of runHistory(entries, schedules.schedules, options)) {
      const ended = world.account.endedRuns(schedule.job).sort((a, b) => a.ended!.at - b.ended!.at);
      expect(last?.result).toBe(ended.at(-1)!.ended!.outcome);
      expect(lastSuccess?.slot?.getTime()).toBe(ended.findLast((run) => run.ended!.outcome === 'success')!.slot);
    }
  });

  /** What the ledger may say of a slot, by what was seen from outside. */
  function stateOf(job: string, slot: number): string[] {
    const own = world.account.runs.filter((run) => run.job === job);
    const run = own.find((each) => each.slot === slot && each.fired - slot <= ON_TIME_MS);
    if (run) return [run.ended ? STATES[run.ended.outcome]! : 'missed'];
    const atWork = own.some((each) => each.fired <= slot && endOf(each) >= slot);
    const awake = world.account.awake.some(({ from, to }) => from < slot && to > slot + ON_TIME_MS);
    if (awake) return atWork ? ['skipped'] : ['a run: the daemon was awake'];
    return atWork ? ['missed', 'skipped'] : ['missed'];
  }

  /** A run that was killed ended with its daemon. */
  function endOf({ fired, ended }: SeenRun): number {
    return ended?.at ?? world.account.awake.find(({ from, to }) => from <= fired && fired <= to)!.to;
  }
});

function slotsOf(job: string, from: number, to: number): number[] {
  const slots: number[] = [];
  for (let at = Math.ceil(from / HOUR_MS) * HOUR_MS; at <= to; at += HOUR_MS) {
    const date = new Date(at);
    if (DUE[job]!(date.getUTCHours(), date)) slots.push(at);
  }
  return slots;
}

function tally(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}
