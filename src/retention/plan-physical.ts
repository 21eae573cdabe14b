const DAY_MS = 24 * 60 * 60_000;
/** Whatever their age. One may turn out to be damaged. */
const ALWAYS_KEPT = 2;

/** A physical backup, as far as retention is concerned. */
export interface PhysicalBackup {
  readonly label: string;
  readonly timeline: number;
  /** The first segment of WAL that it needs, as a number. */
  readonly firstSegment: bigint;
  /** ms since 1970. */
  readonly finished: number;
  /** Some target has all of it, and the WAL that it needs is there. */
  readonly good: boolean;
}

/** A stored segment of WAL. */
export interface WalSegment {
  readonly name: string;
  readonly timeline: number;
  readonly number: bigint;
}

export interface PhysicalPlan {
  readonly remove: { readonly bases: readonly string[]; readonly segments: readonly string[] };
  /** Why each backup stays. */
  readonly keep: readonly { readonly label: string; readonly says: string }[];
}

/**
 * Which physical backups go, and which WAL: every instant of the last `keepDays` days stays recoverable, so the newest backup from before
 * them stays too, and WAL from the oldest backup that stays. Histories of timelines always stay. Pure.
 */
export function planPhysical(
  backups: readonly PhysicalBackup[],
  segments: readonly WalSegment[],
  keepDays: number,
  now: number,
): PhysicalPlan {
  const good = backups.filter((backup) => backup.good).sort((a, b) => b.finished - a.finished);
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
  const staying = backups.filter(({ label }) => keep.has(label));
  const oldest = staying.reduce<bigint | undefined>(
    (least, { firstSegment }) => (least === undefined || firstSegment < least ? firstSegment : least),
    undefined,
  );
  return {
    remove: {
      bases: backups.filter(({ label }) => !keep.has(label)).map(({ label }) => label),
      // Without a backup there is nothing that tells which WAL is of use: all of it stays.
      segments: oldest === undefined ? [] : segments.filter(({ number }) => number < oldest).map(({ name }) => name),
    },
    keep: [...keep].map(([label, says]) => ({ label, says })),
  };
}
