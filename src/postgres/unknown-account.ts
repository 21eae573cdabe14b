import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';

import { BackupError } from '../errors.ts';

/**
 * Containers often run as a number without a line in /etc/passwd, and initdb refuses to work for somebody without a name. The library
 * nss_wrapper gives it one out of a file of ours; nothing of the system is changed. Its path, or undefined when we have a name already.
 */
export async function findAccountNaming(): Promise<string | undefined> {
  if (hasName()) return undefined;
  const library = await findWrapper();
  if (library !== undefined) return library;
  throw new BackupError(
    'SERVER_START_FAILED',
    `user ${process.getuid?.()} has no entry in /etc/passwd, and PostgreSQL's initdb needs one`,
    {
      hint: 'Install the package libnss-wrapper (elsewhere nss_wrapper), add an entry for that user, or run as a user that has one.',
    },
  );
}

/** What nss_wrapper reads, in our own name, and the environment that tells it so. */
export function accountFiles(folder: string): { files: Record<string, string>; env: Record<string, string> } {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return {
    files: { passwd: `throwaway:x:${uid}:${gid}::/nonexistent:/bin/false\n`, group: `throwaway:x:${gid}:\n` },
    env: { NSS_WRAPPER_PASSWD: join(folder, 'passwd'), NSS_WRAPPER_GROUP: join(folder, 'group') },
  };
}

function hasName(): boolean {
  try {
    userInfo();
    return true;
  } catch {
    return false;
  }
}

/** Where Debian (a folder per architecture), Fedora and Alpine put it. */
async function findWrapper(): Promise<string | undefined> {
  for (const root of ['/usr/lib64', '/usr/lib', '/usr/local/lib']) {
    const inside: string[] = await readdir(root).catch(() => []);
    for (const folder of ['', ...inside.filter((name) => name.includes('-linux-'))]) {
      const file = join(root, folder, 'libnss_wrapper.so');
      if (existsSync(file)) return file;
    }
  }
  return undefined;
}
