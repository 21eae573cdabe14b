import type { Backup, BackupCopy } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import { BackupError } from '../errors.ts';
import { covers } from '../config/choose-source.ts';
import type { CommandContext } from './command.ts';
import { errorBlock } from './error-block.ts';
import { filterBackups, type BackupFilter } from './filter-backups.ts';
import { listOfAll } from './list-all.ts';
import { bytesText, countText, timeText } from '../quantities.ts';
import { tableLines } from './table.ts';

/** The backups on all targets that fit. A target that cannot be listed makes the listing partial: it is named, and the exit status is its own. */
export async function listAll({ chosen, signal, print, note }: CommandContext, filter: BackupFilter = {}): Promise<number> {
  checkTarget(chosen, filter.target);
  const { backups, unreachable } = await listOfAll(chosen, signal);
  const { source, ...others } = filter;
  // Of a source that stands for every database of a server: of all of these.
  const asked =
    source === undefined ? backups : backups.filter((backup) => chosen.some(({ config }) => covers(config, backup.source)));
  const listing = { unreachable, backups: filterBackups(asked, others) };
  const hidden = backups.length - listing.backups.length;
  print(listingValue(listing), [
    ...(listing.backups.length === 0 && hidden > 0 ? [] : listingLines(listing)),
    ...(hidden > 0 ? [`${countText(hidden)} more that the filter leaves out.`] : []),
  ]);
  for (const { target, error } of unreachable) note(errorBlock(error, { title: `Warning: ${target} could not be listed` }));
  return unreachable[0]?.error.exitStatus ?? 0;
}

/** A slip in the name would show as "no backups". */
function checkTarget(chosen: CommandContext['chosen'], target: string | undefined): void {
  const names = [...new Set(chosen.flatMap(({ targets }) => targets.map(({ name }) => name)))];
  if (target === undefined || names.includes(target)) return;
  throw new BackupError('USAGE', `there is no target ${JSON.stringify(target)}`, {
    hint: `The targets are: ${names.join(', ')}.`,
  });
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
