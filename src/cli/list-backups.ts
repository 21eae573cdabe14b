import type { Backup, BackupCopy } from '../catalog/backup.ts';
import { listBackups, type Listing } from '../catalog/catalog.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { bytesText, countText, timeText } from '../quantities.ts';
import { tableLines } from './table.ts';

/** Every backup on every target. A target that cannot be listed makes the listing partial: it is named, and the exit status is its own. */
export async function listAll({ parts, signal, print, note }: CommandContext): Promise<number> {
  const listing = await listBackups(parts.targets, { allowUnreachable: true, signal });
  print(listingValue(listing), listingLines(listing));
  for (const { target, error } of listing.unreachable)
    note(errorBlock(error, { title: `Warning: ${target} could not be listed` }));
  return listing.unreachable[0]?.error.exitStatus ?? 0;
}

export function listingValue({ backups, unreachable }: Listing) {
  return {
    backups: backups.map(backupValue),
    unreachable: unreachable.map(({ target, error }) => ({ target, code: error.code, message: error.message })),
  };
}

/** What `--json` says of a backup: the listing's facts, and of the manifest only the totals. */
export function backupValue({ manifest, ...backup }: Backup) {
  return {
    ...backup,
    ...(manifest && {
      tables: manifest.tables.length,
      rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
      rawBytes: manifest.file.rawBytes,
      server: manifest.server.version,
      snapshot: manifest.snapshot,
      omitted: manifest.omitted,
    }),
  };
}

function listingLines({ backups, unreachable }: Listing): string[] {
  if (backups.length === 0 && unreachable.length > 0) return ['No backup on the targets that could be listed.'];
  if (backups.length === 0) return ['There are no backups yet. `backup-manager create-backup` makes one.'];
  const rows = backups.map(({ label, started, state, bytes, manifest, copies, pinned }) => [
    label,
    timeText(started),
    pinned === true ? `${state}, pinned` : state,
    bytes === undefined ? '?' : bytesText(bytes),
    manifest ? countText(manifest.tables.length) : '?',
    copies.map(copyText).join(', '),
  ]);
  const problems = backups.flatMap(({ label, problem }) => (problem === undefined ? [] : [`  ${label}: ${problem}`]));
  return [
    ...tableLines(['LABEL', 'STARTED', 'STATE', 'SIZE', 'TABLES', 'COPIES'], rows, [3, 4]),
    ...(problems.length > 0 ? ['', 'Problems:', ...problems] : []),
  ];
}

function copyText({ target, state }: BackupCopy): string {
  return state === 'whole' ? target : `${target}: ${state}`;
}
