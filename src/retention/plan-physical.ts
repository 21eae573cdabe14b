import { bucketOf } from './calendar.ts';

const DAY_MS = 24 * 60 * 60_000;
/** Whatever their age. One may turn out to be damaged. */
const ALWAYS_KEPT = 2;

/** A physical backup, as far as retention is concerned. */
export interface PhysicalBackup {
  readonly label: string;
  /** The backup that an incremental one builds on. */
  readonly parent?: string;
  readonly timeline: number;
  /** The first segment of WAL that it needs, as a number, … */
  readonly firstSegment: bigint;
  /** … and the last with which it is consistent. */
  readonly lastSegment: bigint;
  /** ms since 1970. */
  readonly finished: number;
  /** Some target has all of it and of what it builds on, and the WAL that it needs is there. */
  readonly good: boolean;
}

/** A stored segment of WAL. */
export interface WalSegment {
  readonly name: string;
  readonly timeline: number;
  readonly number: bigint;
}

export interface PhysicalRules {
  /** Days of which every instant stays recoverable. */
  readonly keepDays: number;
  /** Calendar months, UTC, of which the last backup stays, with no more WAL than makes it consistent. */
  readonly keepMonths: number;
}

export interface PhysicalPlan {
  /** Backups in the order in which they go: none before those that build on it. */
  readonly remove: { readonly bases: readonly string[]; readonly segments: readonly string[] };
  /** Why each backup stays. */
  readonly keep: readonly { readonly label: string; readonly says: string }[];
}

/**
 * Which physical backups go, and which WAL: every instant of the last `keepDays` days stays recoverable, so the newest backup from before
 * them stays too, and all WAL from the oldest of these on. Of a backup that stays for another reason only the WAL stays that makes it
 * consistent. What another one builds on stays with it. Histories of timelines always stay. Pure.
 */
export function planPhysical(
  backups: readonly PhysicalBackup[],
  segments: readonly WalSegment[],
  rules: PhysicalRules,
  now: number,
): PhysicalPlan {
  const keep = keptForRecovery(backups, rules, now);
  const unbroken = backups.filter(({ label }) => keep.has(label));
  for (const [label, says] of keptForMonths(backups, rules, now)) if (!keep.has(label)) keep.set(label, says);
  const byLabel = new Map(backups.map((backup) => [backup.label, backup]));
  // A map grows while it is gone through: ancestors come in turn.
  for (const label of keep.keys()) {
    const parent = byLabel.get(label)!.parent;
    if (parent !== undefined && byLabel.has(parent) && !keep.has(parent)) keep.set(parent, `${label} builds on it`);
  }
  const staying = backups.filter(({ label }) => keep.has(label));
  const going = backups.filter(({ label }) => !keep.has(label));
  going.sort((a, b) => depthOf(b, byLabel) - depthOf(a, byLabel) || b.finished - a.finished);
  const from = unbroken.reduce<bigint | undefined>(
    (least, { firstSegment }) => (least === undefined || firstSegment < least ? firstSegment : least),
    undefined,
  );
  const isNeeded = (number: bigint): boolean =>
    // Without a backup there is nothing that tells which WAL is of use: all of it stays.
    from === undefined ||
    number >= from ||
    staying.some(({ firstSegment, lastSegment }) => number >= firstSegment && number <= lastSegment);
  return {
    remove: {
      bases: going.map(({ label }) => label),
      segments: segments.filter(({ number }) => !isNeeded(number)).map(({ name }) => name),
    },
    keep: [...keep].map(([label, says]) => ({ label, says })),
  };
}

/** From these on all WAL stays. */
function keptForRecovery(backups: readonly PhysicalBackup[], { keepDays }: PhysicalRules, now: number): Map<string, string> {
  const good = newestGoodFirst(backups);
  const since = now - keepDays * DAY_MS;
  const keep = new Map<string, string>();
  for (const { label, finished } of good) if (finished >= since) keep.set(label, `it is not older than ${keepDays} days`);
  const before = good.find(({ finished }) => finished < since);
  if (before) keep.set(before.label, `recovery to ${keepDays} days ago begins with it`);
  for (const { label } of good.slice(0, ALWAYS_KEPT)) {
    if (!keep.has(label)) keep.set(label, `the ${ALWAYS_KEPT} newest stay, however old`);
  }
  // What is not good may be somebody's at work, or all that is left: as long as there is nothing better it stays.
  for (const { label, finished, good: isGood } of backups) {
    if (isGood || keep.has(label)) continue;
    if (finished >= since) keep.set(label, 'it is not good, and not old enough to go');
    else if (good.length < ALWAYS_KEPT) keep.set(label, `it is not good, but there are not ${ALWAYS_KEPT} good ones`);
  }
  return keep;
}

function keptForMonths(backups: readonly PhysicalBackup[], { keepMonths }: PhysicalRules, now: number): Map<string, string> {
  const keep = new Map<string, string>();
  const seen = new Set<number>();
  for (const { label, finished } of newestGoodFirst(backups)) {
    const month = bucketOf.monthly(finished);
    if (seen.has(month) || month <= bucketOf.monthly(now) - keepMonths) continue;
    seen.add(month);
    keep.set(label, `it is the last of ${new Date(finished).toISOString().slice(0, 7)}`);
  }
  return keep;
}

function newestGoodFirst(backups: readonly PhysicalBackup[]): PhysicalBackup[] {
  return backups.filter(({ good }) => good).sort((a, b) => b.finished - a.finished);
}

/** How many backups it builds on, as far as they are known. */
function depthOf(backup: PhysicalBackup, byLabel: ReadonlyMap<string, PhysicalBackup>): number {
  const seen = new Set<PhysicalBackup>();
  let at: PhysicalBackup | undefined = backup;
  while (at && !seen.has(at)) {
    seen.add(at);
    at = at.parent === undefined ? undefined : byLabel.get(at.parent);
  }
  return seen.size - 1;
}
