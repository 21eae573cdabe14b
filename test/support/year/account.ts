import { SIDE } from '../../../src/catalog/names.ts';
import type { RetentionRules } from '../../../src/retention/stored-backup.ts';
import type { Storage } from '../../../src/storage/storage.ts';

const DAY_MS = 86_400_000;

/** A run as it was seen from outside, from the moment the scheduler began it. */
export interface SeenRun {
  readonly job: string;
  readonly slot: number | undefined;
  readonly fired: number;
  ended?: { readonly at: number; readonly outcome: string };
}

interface Made {
  readonly label: string;
  readonly key: string;
  readonly time: number;
  readonly targets: readonly string[];
}

/** When a daemon watched the schedule, and was awake. */
export interface Awake {
  readonly from: number;
  to: number;
}

/**
 * What has happened in a simulated year, written down by whoever made it happen; it asks nothing of the program. What must not be lost
 * is worked out here a second time, from the rules as docs/retention.md tells them.
 */
export class Account {
  readonly runs: SeenRun[] = [];
  readonly awake: Awake[] = [];
  /** Good backups, the newest last. */
  readonly good: Made[] = [];
  /** Copies that are shorter than they were made. */
  readonly cut: Made[] = [];
  /** Dumps whose run was killed before their manifest. */
  readonly bare = new Map<string, { readonly time: number; readonly targets: readonly string[] }>();
  readonly pinned = new Set<string>();
  /** When backups began that took longer than a day. */
  readonly long = new Set<number>();
  /** In the order of the proofs, with the targets that held the backup then. */
  readonly proofs: { readonly key: string; readonly time: number; readonly targets: readonly string[] }[] = [];
  /** Copies that reports of clean-ups call removed. */
  saidRemovals = 0;
  readonly #rules: ReadonlyMap<string, RetentionRules>;

  constructor(rules: ReadonlyMap<string, RetentionRules>) {
    this.#rules = rules;
  }

  endedRuns(job: string): SeenRun[] {
    return this.runs.filter((run) => run.job === job && run.ended);
  }

  goodOn(target: string): Made[] {
    return this.good.filter(({ targets }) => targets.includes(target)).sort((a, b) => b.time - a.time);
  }

  cutOn(target: string): Made[] {
    return this.cut.filter(({ targets }) => targets.includes(target)).sort((a, b) => b.time - a.time);
  }

  /** What is lost of what must be there, as sentences. */
  async losses(targets: readonly Storage[], now: number): Promise<string[]> {
    const lost: string[] = [];
    for (const target of targets) {
      const keys = await keysOf(target);
      const isWhole = (key: string) => ['', SIDE.manifest, SIDE.toc, SIDE.globals].every((end) => keys.has(key + end));
      const rules = this.#rules.get(target.name)!;
      const good = this.goodOn(target.name);
      const must = (why: string, key: string | undefined) => {
        if (key !== undefined && !isWhole(key)) lost.push(`${target.name} has lost ${key}, ${why}`);
      };
      must('the newest good one', good[0]?.key);
      for (const { key } of good.slice(0, rules.minimum)) must(`one of the last ${rules.minimum}`, key);
      for (const { key, time } of good) if (time >= now - rules.days * DAY_MS) must(`younger than ${rules.days} days`, key);
      const proofs = this.proofs.filter((proof) => proof.targets.includes(target.name)).sort((a, b) => b.time - a.time);
      must('the newest proven one', proofs[0]?.key);
      for (const { key } of good) if (this.pinned.has(key)) must('which is pinned', key);
      for (const { key } of this.#bareOn(target.name))
        if (!keys.has(key)) lost.push(`${target.name} has lost ${key}, a whole dump`);
      const months = new Map(
        good.map(({ time, key }) => [new Date(time).toISOString().slice(0, 7), key]).reverse() as [string, string][],
      );
      for (const [month, key] of [...months].slice(-rules.monthly || months.size)) must(`the last of ${month}`, key);
    }
    return lost;
  }

  #bareOn(target: string) {
    return [...this.bare].flatMap(([key, { time, targets }]) => (targets.includes(target) ? [{ key, time }] : []));
  }

  /** Why nothing may go from a target now. */
  barrier(target: string, freshnessLimitMs: number, now: number): string | undefined {
    const newest = this.goodOn(target)[0];
    if (!newest) return 'there is no good one';
    if (newest.time < now - freshnessLimitMs) return `the newest is of ${new Date(newest.time).toISOString()}`;
    const bare = this.#bareOn(target).find(({ time }) => time > newest.time);
    if (bare) return `a dump of ${new Date(bare.time).toISOString()} is without a manifest`;
    const [cut] = this.cutOn(target);
    if (cut && cut.time > newest.time) return `the newest, ${cut.label}, was cut off`;
    const last = this.endedRuns('nightly-backup')
      .toSorted((a, b) => a.fired - b.fired)
      .at(-1);
    return last && !['success', 'incomplete'].includes(last.ended!.outcome)
      ? `the last run was a ${last.ended!.outcome}`
      : undefined;
  }
}

export async function keysOf(target: Storage, prefix = 'full/'): Promise<Set<string>> {
  const keys = new Set<string>();
  for await (const { key } of target.list(prefix)) keys.add(key);
  return keys;
}
