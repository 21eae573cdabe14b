import type { RecoveryPlan } from './plan-recovery.ts';

/** How fast a recovery has been, bytes as they are on the disk of a server. */
export interface RecoveryRates {
  /** Fetching, extracting and checking the physical backup. */
  readonly basePerSecond: number;
  /** Fetching and replaying WAL. */
  readonly walPerSecond: number;
}

/** What a small machine does, as long as no drill has measured this one. */
const GUESS: RecoveryRates = { basePerSecond: 60e6, walPerSecond: 30e6 };

/** How long a recovery may take. `measured`: by a drill, and not guessed. */
export function expectedTime(plan: RecoveryPlan, rates: RecoveryRates | undefined): { seconds: number; measured: boolean } {
  const { basePerSecond, walPerSecond } = rates ?? GUESS;
  const baseBytes = plan.base.manifest.archives.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
  const walBytes = plan.diskBytes - baseBytes;
  return { seconds: Math.ceil(baseBytes / basePerSecond + walBytes / walPerSecond), measured: rates !== undefined };
}
