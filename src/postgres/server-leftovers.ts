import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Account } from './server-account.ts';

/** What the names of servers' folders begin with; mkdtemp adds six characters. */
export const FOLDER_PREFIX = 'throw-away-server-';
const FOLDER_NAME = /^throw-away-server-[A-Za-z0-9]{6}$/;

/** Holds the path of the socket folder. The keeper makes it already locked, and it goes last. */
export const ALIVE_FILE = 'alive';

/** What a server's folder may hold; a folder with anything else was not made here. */
const CONTENTS = new Set(
  [ALIVE_FILE, `${ALIVE_FILE}.new`, 'data', 'server.log', 'settings', 'password', 'socket'].concat([
    'localedef',
    'locale',
    'locales',
    'passwd',
    'group',
    'installation',
    'tablespaces',
    'data.tablespaces',
    'hba',
  ]),
);

/** A folder younger than this may belong to a start that has not come to its lock yet. */
const MAKING_MS = 10 * 60_000;

/**
 * Empties one folder, unless its server or keeper lives: they hold the lock, in whatever container they are, while process
 * numbers mean nothing outside their own. Runs as the owner of the folder.
 */
const SWEEP = `
exec 9<>"$1/${ALIVE_FILE}" || exit 1
flock -n 9 || exit 1
read -r socket <"$1/${ALIVE_FILE}"
for each in "$1"/* "$1"/.[!.]*; do [ "$each" = "$1/${ALIVE_FILE}" ] || rm -rf "$each"; done
case $socket in */../*) ;; /tmp/throw-away-socket-*) rm -rf "$socket" ;; esac
rm -f "$1/${ALIVE_FILE}"
`;

/**
 * Removes the folders of servers whose keeper was killed together with them (a container that ended at once, on a volume that
 * stayed). Returns the removed folders. Whatever lives, is not ours or cannot be judged stays. `own` is a folder made a
 * moment ago in the same place: its time is that file system's clock.
 */
export async function sweepLeftovers(parentFolder: string, own: string, account: Account | undefined): Promise<string[]> {
  const uid = account?.uid ?? process.getuid?.();
  const now = (await lstat(own)).mtimeMs;
  const removed: string[] = [];
  for (const name of await readdir(parentFolder)) {
    const folder = join(parentFolder, name);
    if (!FOLDER_NAME.test(name) || folder === own) continue;
    if (await removeIfDead(folder, uid, account, now).catch(() => false)) removed.push(folder);
  }
  return removed;
}

async function removeIfDead(
  folder: string,
  uid: number | undefined,
  account: Account | undefined,
  now: number,
): Promise<boolean> {
  const facts = await lstat(folder);
  if (!facts.isDirectory()) return false;
  const contents = await readdir(folder);
  const young = now - facts.mtimeMs < MAKING_MS;
  if (contents.every((name) => name === 'socket') && facts.uid === process.getuid?.() && !young) {
    // Killed before it could give the folder to the server's account.
    await rm(folder, { recursive: true });
    return true;
  }
  if (facts.uid !== uid) return false;
  if (contents.some((name) => !CONTENTS.has(name))) return false;
  if (contents.includes(ALIVE_FILE)) {
    if (!(await lstat(join(folder, ALIVE_FILE))).isFile()) return false;
  } else {
    // Killed before the keeper had its lock, or after it had removed everything else.
    if (contents.includes('data') || young) return false;
  }
  const child = spawn('/bin/sh', ['-c', SWEEP, 'throw-away-sweep', folder], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: 'ignore',
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  const [status] = (await once(child, 'exit')) as [number | null];
  if (status !== 0) return false;
  await rmdir(folder);
  return true;
}
