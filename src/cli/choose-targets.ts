import type { Backup } from '../catalog/backup.ts';
import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** All targets, or the one of that name. */
export function chooseTargets(targets: readonly Storage[], name: string | undefined): readonly Storage[] {
  if (name === undefined) return targets;
  const chosen = targets.filter((target) => target.name === name);
  if (chosen.length > 0) return chosen;
  throw new BackupError('USAGE', `there is no target ${JSON.stringify(name)}`, {
    hint: `The configured targets are: ${targets.map((target) => target.name).join(', ')}.`,
  });
}

/** The targets that have the dump's file, in whatever state; those that are whole first. */
export function holders(backup: Backup, targets: readonly Storage[]): Storage[] {
  const holding = backup.copies.filter(({ state }) => state !== 'missing' && state !== 'expired' && state !== 'unreachable');
  const ordered = [...holding.filter(({ state }) => state === 'whole'), ...holding.filter(({ state }) => state !== 'whole')];
  return ordered.flatMap((copy) => targets.find(({ name }) => name === copy.target) ?? []);
}
