import { removeBackup } from '../catalog/removal.ts';
import { isPinned } from '../catalog/pins.ts';
import { SIDE } from '../catalog/names.ts';
import { toBackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { DecisionReport } from '../report/cleanup-report.ts';
import type { Decision } from '../retention/plan.ts';
import type { Protection, Storage } from '../storage/storage.ts';
import type { JobContext } from './job.ts';

export type RemovalResult = Pick<DecisionReport, 'result' | 'lockedUntil' | 'legalHold' | 'oldVersionsStay' | 'error'>;

/**
 * Removes one backup from one target, as decided; to be called under the lock of the directory. What the target protects stays and is
 * no failure; one that fails stays, or is listed as `expired` until the next run has finished it. Never throws but for an abort.
 */
export async function removeExpired(
  decision: Decision,
  targets: readonly Storage[],
  { signal, clock, log }: JobContext,
): Promise<RemovalResult> {
  const target = targets.find(({ name }) => name === decision.target)!;
  const { key, label } = decision;
  try {
    const protection = await protectionOf(target, key, signal);
    if (protection.legalHold || (protection.lockedUntil !== undefined && protection.lockedUntil > clock.now())) {
      return {
        result: 'locked',
        ...(protection.lockedUntil && { lockedUntil: protection.lockedUntil.toISOString() }),
        ...(protection.legalHold && { legalHold: true }),
      };
    }
    const confirm = async () => !(await isPinned(targets, key, signal));
    if (!(await removeBackup(target, key, { confirm, signal }))) return { result: 'pinned' };
    log.info({ target: target.name, label, reasons: decision.reasons.map(({ says }) => says) }, 'an old backup was removed');
    return { result: 'removed', ...(protection.versioned && { oldVersionsStay: true }) };
  } catch (thrown) {
    signal.throwIfAborted();
    const error = errorReport(toBackupError(thrown));
    log.error({ target: target.name, label, ...error }, 'an old backup could not be removed');
    return { result: 'failed', error };
  }
}

/** The strictest protection of its files: a backup goes as a whole or not at all. */
async function protectionOf(target: Storage, key: string, signal: AbortSignal): Promise<Protection> {
  const none: Protection = { legalHold: false, versioned: false };
  if (target.protection === undefined) return none;
  let strictest = none;
  for (const suffix of ['', SIDE.manifest, SIDE.toc, SIDE.globals]) {
    const found = await target.protection(key + suffix, signal);
    if (found === undefined) continue;
    const until = [strictest.lockedUntil, found.lockedUntil].filter((time) => time !== undefined);
    strictest = {
      ...(until.length > 0 && { lockedUntil: new Date(Math.max(...until.map((time) => time.getTime()))) }),
      legalHold: strictest.legalHold || found.legalHold,
      versioned: strictest.versioned || found.versioned,
    };
  }
  return strictest;
}
