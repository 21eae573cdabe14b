import type { RecoveryRates } from '../report/newest-pitr-drill.ts';
import { rawBytesOf, type RecoveryPlan } from './plan-recovery.ts';

/** What a small machine does, as long as no drill has measured this one. */
const GUESS: RecoveryRates = { basePerSecond: 60e6, walPerSecond: 30e6 };

/** How long a recovery may take. `measured`: by a drill, and not guessed. */
export function expectedTime(plan: RecoveryPlan, rates: RecoveryRates | undefined): { seconds: number; measured: boolean } {
  const { basePerSecond, walPerSecond } = rates ?? GUESS;
  return {
    seconds: Math.ceil(rawBytesOf(plan.base) / basePerSecond + plan.walRawBytes / walPerSecond),
    measured: rates !== undefined,
  };
}
