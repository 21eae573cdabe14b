import { BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Backup } from './backup.ts';
import { listBackups, type Listing, type ListOptions } from './catalog.ts';
import { parseDumpName } from './names.ts';

export interface FindOptions extends ListOptions {
  /** `latest` is of this source alone. */
  readonly source?: string;
  /** What `latest` means: the newest complete one, or the newest that is neither on its way in nor out, whatever its state. */
  readonly latest?: 'complete' | 'any';
}

export interface FoundBackup {
  readonly backup: Backup;
  /** Of `latest`: newer ones that it is not, because they are not complete. Newest first. */
  readonly skipped: readonly Backup[];
  /** Targets that could not be asked, and may hold a newer one. */
  readonly unreachable: Listing['unreachable'];
}

/** The backup that {@link searchBackup} finds, alone. */
export async function findBackup(targets: readonly Storage[], what: string, options: FindOptions = {}): Promise<Backup> {
  return (await searchBackup(targets, what, options)).backup;
}

/**
 * The backup that a person means: `latest`, a label, or a dump's file name or key. Throws `BACKUP_UNKNOWN` when there is none.
 * Whether it is good is for the caller to ask: a label finds damaged ones too.
 */
export async function searchBackup(targets: readonly Storage[], what: string, options: FindOptions = {}): Promise<FoundBackup> {
  const { backups, unreachable } = await listBackups(targets, options);
  const where =
    unreachable.length === 0
      ? ''
      : ` Not asked, because they cannot be reached: ${unreachable.map((each) => each.target).join(', ')}.`;
  if (what === 'latest') return { ...latest(backups, options, where), unreachable };
  const label = parseDumpName(what)?.label ?? what;
  const matches = backups.filter((backup) => backup.label === label);
  const [match] = matches.filter(
    (backup) => matches.length === 1 || what.endsWith(backup.key.slice(backup.key.lastIndexOf('/') + 1)),
  );
  if (match) return { backup: match, skipped: [], unreachable };
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

function latest(backups: readonly Backup[], options: FindOptions, where: string): Omit<FoundBackup, 'unreachable'> {
  const { source, latest: meaning = 'complete' } = options;
  const others = backups.filter((backup) => backup.state !== 'expired' && (source === undefined || backup.source === source));
  const at = others.findIndex(({ state }) => (meaning === 'any' ? state !== 'being-written' : state === 'complete'));
  const found = others[at];
  if (found) return { backup: found, skipped: others.slice(0, at) };
  const of = source === undefined ? '' : ` of ${source}`;
  throw new BackupError('BACKUP_UNKNOWN', `There is no ${meaning === 'any' ? '' : 'complete '}backup${of}.${where}`, {
    hint:
      others.length === 0
        ? 'Make one: `backup-manager create-backup`.'
        : `There are others, to be asked for by label: ${others
            .slice(0, 5)
            .map((backup) => `${backup.label} (${backup.state})`)
            .join(', ')}.`,
  });
}
