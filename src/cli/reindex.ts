import { stat } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { findBackup } from '../catalog/find-backup.ts';
import { reindexBackup } from '../restore/reindex.ts';
import { createDiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import { chooseTargets, holders } from './choose-targets.ts';
import type { CommandContext } from './command.ts';
import { countText } from './quantities.ts';

/** Rebuilds a lost manifest from the dump itself, on every target that lacks it. */
export async function reindex(context: CommandContext, what: string, targetName: string | undefined): Promise<number> {
  const { progress, signal, log, clock, print } = context;
  const { key, storages, where } = await locate(context, what, targetName);
  const done: { target: string; location: string; tables: number; rows: number }[] = [];
  for (const storage of storages) {
    progress.phase(`reindex ${basename(key)} on ${storage.name}`);
    const manifest = await reindexBackup(storage, key, {
      ...{ signal, log, clock },
      onProgress: ({ bytes, totalBytes }) => progress.progress(bytes ?? 0, totalBytes ?? 0),
    });
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    done.push({ target: storage.name, location: storage.location(key), tables: manifest.tables.length, rows });
  }
  progress.end('done');
  const lines = done.map(
    ({ location, tables, rows }) =>
      `The manifest of ${location} is rebuilt: ${countText(tables)} tables, ${countText(rows)} rows.`,
  );
  print({ key, reindexed: done }, done.length > 0 ? lines : [`${where} has its manifest; nothing to do.`]);
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
