import type { RecoveryRates } from '../report/newest-pitr-drill.ts';
import type { RecoveryPlan } from './plan-recovery.ts';

/** What a small machine does, as long as no drill has measured this one. */
const GUESS: RecoveryRates = { basePerSecond: 60e6, walPerSecond: 30e6 };

/** How long a recovery may take. `measured`: by a drill, and not guessed. */
export function expectedTime(plan: RecoveryPlan, rates: RecoveryRates | undefined): { seconds: number; measured: boolean } {
  const { basePerSecond, walPerSecond } = rates ?? GUESS;
  const baseBytes = plan.base.manifest.archives.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
  const walBytes = plan.diskBytes - baseBytes;
  return { seconds: Math.ceil(baseBytes / basePerSecond + walBytes / walPerSecond), measured: rates !== undefined };
}
