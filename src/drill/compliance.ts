const MINUTE_MS = 60_000;

export interface RecoveryTargets {
  readonly rpoMinutes: number;
  readonly rtoMinutes: number;
}

/** A good backup as it counts for what could be lost: the instant whose state it holds. */
export interface RecoveryPoint {
  readonly label: string;
  readonly at: Date;
}

export interface ComplianceInput {
  readonly targets: RecoveryTargets;
  /** When the drill began. */
  readonly now: Date;
  /** Of the backup that was drilled; absent when there was none. */
  readonly drilled?: RecoveryPoint;
  /** From the start of the work to the first query that could be answered with statistics; absent when nothing was restored. */
  readonly restoreMinutes?: number;
  /** Good backups of the period and, if known, the last one before it. In any order; one label counts once. */
  readonly points: readonly RecoveryPoint[];
  readonly periodStart: Date;
  /** Longest time between two runs of the schedule; absent when it never runs twice. */
  readonly scheduleMinutes?: number;
}

/** The longest time in a period within which a loss would have cost everything since `from`. */
export interface WorstCase {
  readonly minutes: number;
  /** The backup that would have been the newest. */
  readonly from: RecoveryPoint;
  /** The next one; absent when it is the time of the drill. */
  readonly to?: RecoveryPoint;
}

/** A target that cannot be met as things are configured, whatever a single drill measures. */
export interface HopelessTarget {
  readonly target: 'rpo' | 'rto';
  readonly message: string;
  readonly remedy: string;
}

export interface Compliance {
  readonly backupAgeMinutes?: number;
  readonly rpoCompliant: boolean;
  readonly rtoCompliant: boolean;
  readonly worstCase?: WorstCase;
  readonly hopeless: readonly HopelessTarget[];
  /** Why something counts as missed although no number says so. */
  readonly notes: readonly string[];
}

/**
 * Compares what a drill measured with the targets. What was not measured is not met: "unknown" must not read as compliant.
 * A target is met when the measured value equals it.
 */
export function judgeCompliance(input: ComplianceInput): Compliance {
  const { targets, now, drilled, restoreMinutes } = input;
  const notes: string[] = [];
  const age = drilled && (now.getTime() - drilled.at.getTime()) / MINUTE_MS;
  if (age === undefined) notes.push('The age of the backup is not known, because none was drilled.');
  else if (age < 0) {
    notes.push(
      `The backup is ${minutesText(-age)} younger than this machine's clock: one of the two clocks was wrong, so that its age is not known.`,
    );
  }
  if (restoreMinutes === undefined) notes.push('The time of a restore is not known, because none was finished.');
  const known = age !== undefined && age >= 0 ? age : undefined;
  const worstCase = longestGap(input);
  return {
    ...(known !== undefined && { backupAgeMinutes: known }),
    rpoCompliant: known !== undefined && known <= targets.rpoMinutes,
    rtoCompliant: restoreMinutes !== undefined && restoreMinutes <= targets.rtoMinutes,
    ...(worstCase && { worstCase }),
    hopeless: hopelessTargets(input),
    notes,
  };
}

/** The longest gap between consecutive points of the period, and between the last one and now. */
function longestGap({ points, periodStart, now }: ComplianceInput): WorstCase | undefined {
  const known = [...new Map(points.map((point) => [point.label, point])).values()]
    .filter(({ at }) => at <= now)
    .sort((a, b) => a.at.getTime() - b.at.getTime());
  let worst: WorstCase | undefined;
  for (const [index, from] of known.entries()) {
    const to = known[index + 1];
    const end = (to?.at ?? now).getTime();
    // A gap that began before the period and ended in it counts whole: that is what would have been lost.
    if (end < periodStart.getTime()) continue;
    const minutes = (end - from.at.getTime()) / MINUTE_MS;
    if (worst === undefined || minutes > worst.minutes) worst = { minutes, from, ...(to && { to }) };
  }
  return worst;
}

function hopelessTargets({ targets, scheduleMinutes, restoreMinutes }: ComplianceInput): HopelessTarget[] {
  const found: HopelessTarget[] = [];
  if (scheduleMinutes === undefined || scheduleMinutes > targets.rpoMinutes) {
    const often = scheduleMinutes === undefined ? 'without a schedule' : `with a backup every ${minutesText(scheduleMinutes)}`;
    found.push({
      target: 'rpo',
      message: `A recovery point of ${minutesText(targets.rpoMinutes)} cannot be kept ${often}: just before the next one, all since the last is lost.`,
      remedy: `Run backups at least every ${minutesText(targets.rpoMinutes)} (BACKUP_SCHEDULE), archive the write-ahead log so that what comes after the last dump can be recovered, or agree on another target (DRILL_RPO_MINUTES).`,
    });
  }
  if (restoreMinutes !== undefined && restoreMinutes > targets.rtoMinutes) {
    found.push({
      target: 'rto',
      message: `The restore took ${minutesText(restoreMinutes)}; ${minutesText(targets.rtoMinutes)} are allowed.`,
      remedy:
        'Restore on a machine with more processors or faster disks (BACKUP_RESTORE_WORKERS), remove or archive old rows, keep a standby for the quick case, or agree on another target (DRILL_RTO_MINUTES).',
    });
  }
  return found;
}

/** `90` → `90 minutes`, `1440` → `24 hours`. */
export function minutesText(minutes: number): string {
  if (minutes >= 120) {
    const hours = Math.round((minutes / 60) * 10) / 10;
    return hours >= 72 ? `${Math.round(hours / 24)} days` : `${hours} hours`;
  }
  const whole = minutes < 10 ? Math.round(minutes * 10) / 10 : Math.round(minutes);
  return `${whole} ${whole === 1 ? 'minute' : 'minutes'}`;
}
