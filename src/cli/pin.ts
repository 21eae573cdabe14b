import { findBackup } from '../catalog/find-backup.ts';
import { isPinned, pinBackup, unpinBackup } from '../catalog/pins.ts';
import { BackupError } from '../errors.ts';
import { holders } from './choose-targets.ts';
import type { CommandContext } from './command.ts';

/** Keeps a backup whatever the retention says, on every target that has it. All targets have to answer: one that does not may be removing it. */
export async function pin(
  { parts, signal, clock, print }: CommandContext,
  what: string,
  reason: string | undefined,
): Promise<number> {
  const backup = await findBackup(parts.targets, what, { signal });
  const targets = holders(backup, parts.targets);
  if (backup.state === 'expired' || targets.length === 0) {
    throw new BackupError('BACKUP_DAMAGED', `${backup.label} cannot be kept: ${backup.problem ?? 'no target holds its dump'}.`, {
      hint: 'Choose another: `backup-manager list-backups` shows all.',
    });
  }
  const pinnedAt = clock.now().toISOString();
  await pinBackup(targets, backup.key, { pinnedAt, ...(reason !== undefined && { reason }) }, signal);
  const names = targets.map(({ name }) => name);
  print({ label: backup.label, pinned: true, pinnedAt, ...(reason !== undefined && { reason }), targets: names }, [
    `${backup.label} is pinned on ${names.join(', ')}: no clean-up removes it until it is unpinned.`,
  ]);
  return 0;
}

/** Lets the retention decide again. */
export async function unpin({ parts, signal, print }: CommandContext, what: string): Promise<number> {
  const backup = await findBackup(parts.targets, what, { signal });
  const wasPinned = await isPinned(parts.targets, backup.key, signal);
  await unpinBackup(parts.targets, backup.key, signal);
  print({ label: backup.label, pinned: false, wasPinned }, [
    wasPinned
      ? `${backup.label} is not pinned any more: the next clean-up treats it as any other.`
      : `${backup.label} was not pinned; nothing to do.`,
  ]);
  return 0;
}
