import type { BackupState } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import { BackupError, type ErrorCode } from '../errors.ts';

/** States that are a problem, with the code that they end with. `incomplete` is told by the run that made it. */
const BAD_STATES: Partial<Record<BackupState, ErrorCode>> = {
  damaged: 'BACKUP_DAMAGED',
  unindexed: 'BACKUP_DAMAGED',
  'newer-format': 'BACKUP_FORMAT',
  unknown: 'STORAGE_UNAVAILABLE',
};
/** How many labels a problem lists. */
const LISTED = 3;

/** One problem for each state that says that something of what was stored cannot be relied on. */
export function badBackups({ backups }: Pick<Listing, 'backups'>): BackupError[] {
  return Object.entries(BAD_STATES).flatMap(([state, code]) => {
    const labels = backups.filter((backup) => backup.state === state).map(({ label }) => label);
    if (labels.length === 0) return [];
    const more = labels.length > LISTED ? ` and ${labels.length - LISTED} more` : '';
    return [new BackupError(code, `${labels.length} ${state} (${labels.slice(0, LISTED).join(', ')}${more})`)];
  });
}
