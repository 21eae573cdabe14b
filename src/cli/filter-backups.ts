import { isGood, type Backup } from '../catalog/backup.ts';

/** Which backups somebody wants to see; what is left out lets all through. */
export interface BackupFilter {
  readonly source?: string;
  /** By the start of the backup. */
  readonly since?: Date;
  readonly until?: Date;
  /** A state, or `good` for complete and incomplete ones. */
  readonly state?: string;
  /** Only those that this target holds whole. */
  readonly target?: string;
  /** At most so many, the newest. */
  readonly limit?: number;
}

/** What `--state` takes. */
export const STATES = ['good', 'complete', 'incomplete', 'unindexed', 'damaged', 'newer-format', 'expired', 'unknown'] as const;

/** Those of `backups` (newest first) that fit, in their order. */
export function filterBackups(backups: readonly Backup[], filter: BackupFilter): Backup[] {
  const { source, since, until, state, target, limit } = filter;
  const found = backups.filter(
    (backup) =>
      (source === undefined || backup.source === source) &&
      (since === undefined || backup.started >= since) &&
      (until === undefined || backup.started <= until) &&
      (state === undefined || (state === 'good' ? isGood(backup) : backup.state === state)) &&
      (target === undefined || backup.copies.some((copy) => copy.target === target && copy.state === 'whole')),
  );
  return limit === undefined ? found : found.slice(0, limit);
}
