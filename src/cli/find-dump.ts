import { stat } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { searchBackup, type FoundBackup } from '../catalog/find-backup.ts';
import type { Backup } from '../catalog/backup.ts';
import { parseDumpName, SIDE } from '../catalog/names.ts';
import { BackupError } from '../errors.ts';
import { createDiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import { chooseTargets, holders } from './choose-targets.ts';
import type { CommandContext } from './command.ts';
import { writingSince } from './writing-since.ts';

/** What a person named on the command line. */
export type Dump =
  | {
      readonly kind: 'backup';
      readonly key: string;
      readonly copies: readonly Storage[];
      /** What the targets showed of it; not known of a path outside them. */
      readonly backup?: Backup;
      /** What a person who asked for the latest should know: newer ones that cannot be taken, targets that were not asked. */
      readonly warnings: readonly string[];
    }
  /** A file or folder that is no backup of ours with a manifest. */
  | { readonly kind: 'file'; readonly path: string };

/**
 * `latest` (or nothing), a label, the file name of a dump, or a path on this machine. Throws `BACKUP_UNKNOWN` for what is none
 * of them.
 */
export async function findDump(context: CommandContext, what: string, targetName: string | undefined): Promise<Dump> {
  const { parts, config, signal } = context;
  const targets = chooseTargets(parts.targets, targetName);
  const path = resolve(what);
  const isPath =
    what !== '' && what !== 'latest' && (what.includes('/') || parseDumpName(what) === undefined) && (await exists(path));
  const local = config.targets.local?.directory;
  if (isPath && (local === undefined || !path.startsWith(local + sep) || !parseDumpName(path))) {
    const ours = parseDumpName(path) !== undefined && (await exists(path + SIDE.manifest));
    if (!ours) return { kind: 'file', path };
    return {
      kind: 'backup',
      key: basename(path),
      copies: [createDiskStorage({ name: 'file', root: dirname(path) })],
      warnings: [],
    };
  }
  if (what.includes('/') && !isPath && parseDumpName(what) === undefined) {
    throw new BackupError('BACKUP_UNKNOWN', `There is no file or folder ${path}. Nothing was changed.`, {
      hint: 'Backups are named by their label: `backup-manager list-backups` shows them. In a container, a path is one of the container.',
    });
  }
  const name = what === '' ? 'latest' : isPath ? basename(path) : what;
  const found = await searchBackup(targets, name, {
    allowUnreachable: true,
    signal,
    writingSince: await writingSince(config),
    ...(config.source.named ? { source: config.source.name } : {}),
  });
  const { backup } = found;
  if (backup.state === 'being-written') {
    throw new BackupError('LOCKED', `${backup.label} is still being written: nothing can be restored from it yet.`, {
      hint: 'Wait until the run has ended: `backup-manager status` shows it.',
      retryable: true,
    });
  }
  const copies = holders(backup, targets);
  if (backup.state === 'expired' || copies.length === 0) {
    throw new BackupError('BACKUP_DAMAGED', `${backup.label} cannot be used: ${backup.problem ?? 'no target holds its dump'}.`, {
      hint: 'Choose another: `backup-manager list-backups` shows all.',
    });
  }
  return { kind: 'backup', key: backup.key, copies, backup, warnings: name === 'latest' ? latestWarnings(found) : [] };
}

function latestWarnings({ backup, skipped, unreachable }: FoundBackup): string[] {
  return [
    ...skipped.map(
      ({ label, state, problem }) =>
        `${label} is newer than ${backup.label} but ${state}${problem === undefined ? '' : `: ${problem}`}.`,
    ),
    ...unreachable.map(({ target, error }) => `${target} could not be asked and may hold a newer backup: ${error.message}`),
  ];
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
