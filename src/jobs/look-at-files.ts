import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FULL } from '../catalog/names.ts';
import { absentAs } from '../errors.ts';
import type { Seen } from '../health/permissions.ts';
import { onDisk } from '../storage/disk-error.ts';

export interface LocalFolders {
  /** The backup directory. */
  readonly root?: string;
  /** Where reports are. */
  readonly reports?: string;
}

/** Files that are for the account of the backup only, beside the reports. */
const PRIVATE_NAMES = /^daemon\.log(\.\d+)?$/;

/** Modes and owners of what is kept on this machine. What vanishes meanwhile is left out; folders that are not there yet, too. */
export async function lookAtFiles({ root, reports }: LocalFolders): Promise<Seen[]> {
  const seen: Seen[] = [];
  const look = async (path: string, use: Seen['use']): Promise<boolean> => {
    const found = await onDisk('look at', path, () => absentAs(undefined, lstat(path)));
    if (found) seen.push({ path, mode: found.mode, uid: found.uid, use });
    return found?.isDirectory() ?? false;
  };
  const inside = async (folder: string, useOf: (name: string) => Seen['use']): Promise<void> => {
    // Names of dumps are no secret; what is in them is.
    if (!(await look(folder, 'shared'))) return;
    for (const name of await onDisk('list', folder, () => absentAs([], readdir(folder)))) {
      await look(join(folder, name), useOf(name));
    }
  };
  if (root !== undefined) {
    await look(root, 'shared');
    await inside(join(root, FULL.slice(0, -1)), () => 'private');
  }
  if (reports !== undefined) await inside(reports, (name) => (PRIVATE_NAMES.test(name) ? 'private' : 'shared'));
  return seen;
}
