import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Backup } from './backup.ts';
import { listBackups, type ListOptions } from './catalog.ts';
import { parseDumpName } from './names.ts';

/**
 * The backup that a person means: `latest` (the newest complete one; of `source` alone, when given), a label, or a dump's file name or key.
 * Throws `BACKUP_UNKNOWN` when there is none. Whether it is good is for the caller to ask: a label finds damaged ones too.
 */
export async function findBackup(
  targets: readonly Storage[],
  what: string,
  options: ListOptions & { readonly source?: string } = {},
): Promise<Backup> {
  const { backups, unreachable } = await listBackups(targets, options);
  const where =
    unreachable.length === 0
      ? ''
      : ` Not asked, because they cannot be reached: ${unreachable.map((each) => each.target).join(', ')}.`;
  if (what === 'latest') return latest(backups, options.source, where);
  const label = parseDumpName(what)?.label ?? what;
  const matches = backups.filter((backup) => backup.label === label);
  const [match] = matches.filter(
    (backup) => matches.length === 1 || what.endsWith(backup.key.slice(backup.key.lastIndexOf('/') + 1)),
  );
  if (match) return match;
  if (matches.length > 1) {
    throw new BackupError(
      'BACKUP_UNKNOWN',
      `${what} names ${matches.length} dumps: ${matches.map((backup) => backup.key).join(', ')}.`,
      {
        hint: 'Give the whole file name.',
      },
    );
  }
  throw new BackupError(
    'BACKUP_UNKNOWN',
    `There is no backup ${what} on ${targets.map((target) => target.name).join(', ')}.${where}`,
    {
      hint:
        backups.length === 0
          ? 'There are no backups at all yet.'
          : `\`backup-manager list-backups\` shows all ${backups.length}; the newest is ${backups[0]!.label}.`,
    },
  );
}

function latest(backups: readonly Backup[], source: string | undefined, where: string): Backup {
  const ofSource = backups.filter((backup) => source === undefined || backup.source === source);
  const found = ofSource.find((backup) => backup.state === 'complete');
  if (found) return found;
  const of = source === undefined ? '' : ` of ${source}`;
  const others = ofSource.filter((backup) => backup.state !== 'expired');
  throw new BackupError('BACKUP_UNKNOWN', `There is no complete backup${of}.${where}`, {
    hint:
      others.length === 0
        ? 'Make one: `backup-manager create-backup`.'
        : `There are others, to be asked for by label: ${others
            .slice(0, 5)
            .map((backup) => `${backup.label} (${backup.state})`)
            .join(', ')}.`,
  });
}
