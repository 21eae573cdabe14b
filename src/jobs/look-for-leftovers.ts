import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findSideFilesWithoutDump } from '../catalog/leftovers.ts';
import { FULL, labelOf } from '../catalog/names.ts';
import { FOLDER_PREFIX } from '../postgres/server-leftovers.ts';
import { onDisk } from '../storage/disk-error.ts';
import type { Storage } from '../storage/storage.ts';

/** What is younger may be somebody's at work. */
const AGE_MS = 24 * 60 * 60_000;
/** Of the time in a label: `YYYYMMDD_HHMMSS`. */
const STAMP_LENGTH = 15;

/** Where to look. */
export interface LeftoverPlaces {
  readonly source: string;
  readonly targets: readonly Storage[];
  /** Where throw-away servers have their folders. */
  readonly workFolder: string;
}

/** Locations of what killed runs left more than a day ago, as the clean-up would remove it. Removes nothing. Throws when a target cannot be asked. */
export async function lookForLeftovers(
  { source, targets, workFolder }: LeftoverPlaces,
  now: Date,
  signal: AbortSignal,
): Promise<string[]> {
  const before = new Date(now.getTime() - AGE_MS);
  const found: string[] = [];
  const stem = labelOf(source, now).slice(0, -STAMP_LENGTH);
  for (const target of targets) {
    for (const prefix of [FULL + stem, `${FULL}.${stem}`, '.probe.']) {
      for (const { key } of await target.leftovers(prefix, before, signal)) found.push(target.location(key));
    }
  }
  for (const { target: name, key } of await findSideFilesWithoutDump(targets, { source, signal })) {
    const target = targets.find((each) => each.name === name)!;
    const info = await target.head(key, signal);
    if (info && info.modified < before) found.push(target.location(key));
  }
  return [...found, ...(await deadServers(workFolder, before))];
}

async function deadServers(workFolder: string, before: Date): Promise<string[]> {
  const found: string[] = [];
  for (const name of await onDisk('list', workFolder, () => readdir(workFolder))) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const path = join(workFolder, name);
    const facts = await lstat(path).catch(() => undefined);
    if (facts && facts.uid === process.getuid?.() && facts.mtime < before) found.push(path);
  }
  return found;
}
