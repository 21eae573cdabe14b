import type { Backup, BackupState } from '../catalog/backup.ts';
import { fail, ok, warn, type HealthCheck } from './check.ts';

/** How many labels are named. */
const NAMED = 3;
/** What is wrong with a state, and what to do about it. */
const BAD: Partial<Record<BackupState, { readonly verdict: 'warn' | 'fail'; readonly hint: string }>> = {
  damaged: {
    verdict: 'fail',
    hint: 'Make a new backup, find out what damaged this one, and remove it when you need nothing of it.',
  },
  unindexed: { verdict: 'fail', hint: 'If no backup is running, rebuild the manifest: `backup-manager reindex LABEL`.' },
  'newer-format': { verdict: 'warn', hint: 'Use the newest version of this program.' },
  unknown: { verdict: 'warn', hint: 'Make every target reachable.' },
};

/** A younger dump without a manifest may be one that is being stored. */
const BEING_MADE_MS = 24 * 60 * 60_000;

/** Whether all that is stored of a source can be relied on, as far as a listing shows. */
export function checkStates(backups: readonly Pick<Backup, 'label' | 'state' | 'started'>[], now: Date): HealthCheck {
  const subject = { check: 'backups' } as const;
  const groups = Object.entries(BAD).flatMap(([state, { verdict, hint }]) => {
    const those = backups.filter((backup) => backup.state === state);
    if (those.length === 0) return [];
    const labels = those.map(({ label }) => label);
    const young = state === 'unindexed' && those.every(({ started }) => now.getTime() - started.getTime() < BEING_MADE_MS);
    const more = labels.length > NAMED ? ` and ${labels.length - NAMED} more` : '';
    return [
      {
        verdict: young ? 'warn' : verdict,
        hint,
        says: `${labels.length} ${state} (${labels.slice(0, NAMED).join(', ')}${more})`,
      },
    ];
  });
  if (groups.length === 0) return ok(subject, `${backups.length} stored, none damaged`);
  const says = groups.map((group) => group.says).join('; ');
  const hint = groups.map((group) => group.hint).join(' ');
  return groups.some(({ verdict }) => verdict === 'fail') ? fail(subject, says, hint) : warn(subject, says, hint);
}
