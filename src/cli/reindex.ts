import { stat } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { findBackup } from '../catalog/find-backup.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import { reindexBackup } from '../restore/reindex.ts';
import { createDiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import { chooseTargets, holders } from './choose-targets.ts';
import type { CommandContext } from './command.ts';
import { countText } from '../quantities.ts';

/** Rebuilds a lost manifest from the dump itself, on every target that lacks it. */
export async function reindex(context: CommandContext, what: string, targetName: string | undefined): Promise<number> {
  const { progress, signal, log, clock, print } = context;
  const { key, storages, where } = await locate(context, what, targetName);
  const done: { target: string; location: string; tables: number; rows: number }[] = [];
  let failure: BackupError | undefined;
  for (const storage of storages) {
    progress.phase(`reindex ${basename(key)} on ${storage.name}`);
    const onProgress = ({ bytes, totalBytes }: { bytes?: number; totalBytes?: number }): void =>
      progress.progress(bytes ?? 0, totalBytes ?? 0);
    // A damaged copy on one target is no reason to leave the whole one on the next without its manifest; it is told in the end.
    const manifest = await reindexBackup(storage, key, { signal, log, clock, onProgress }).catch((error: unknown) => {
      signal.throwIfAborted();
      failure ??= toBackupError(error);
      return undefined;
    });
    if (!manifest) continue;
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    done.push({ target: storage.name, location: storage.location(key), tables: manifest.tables.length, rows });
  }
  if (failure !== undefined && done.length === 0) throw failure;
  progress.end('done');
  const lines = done.map(
    ({ location, tables, rows }) =>
      `The manifest of ${location} is rebuilt: ${countText(tables)} tables, ${countText(rows)} rows.`,
  );
  print({ key, reindexed: done }, done.length > 0 ? lines : [`${where} has its manifest; nothing to do.`]);
  if (failure !== undefined) throw failure;
  return 0;
}

async function locate(
  { parts, config, signal }: CommandContext,
  what: string,
  targetName: string | undefined,
): Promise<{ key: string; storages: readonly Storage[]; where: string }> {
  const path = resolve(what);
  const local = config.targets.local?.directory;
  const inLocal = local !== undefined && path.startsWith(local + sep);
  if (what.includes('/') && !inLocal && (await isFile(path))) {
    return { key: basename(path), storages: [createDiskStorage({ name: 'file', root: dirname(path) })], where: path };
  }
  const targets = chooseTargets(parts.targets, targetName);
  const backup = await findBackup(targets, inLocal ? basename(path) : what, { allowUnreachable: true, signal });
  const lacking = backup.copies
    .filter(({ state }) => state === 'manifest-missing' || state === 'unjudged')
    .map(({ target }) => target);
  const storages = holders(backup, targets).filter(({ name }) => lacking.includes(name));
  return { key: backup.key, storages, where: backup.label };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
