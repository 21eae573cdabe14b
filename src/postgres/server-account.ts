import { readFile } from 'node:fs/promises';

import { BackupError } from '../errors.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** In this order: the account that PostgreSQL's packages create, else the one that owns nothing. */
const PREFERRED = ['postgres', 'nobody'];

/** PostgreSQL's server refuses to run as root: the account to run it as, or undefined when we are not root. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of PREFERRED) {
    const entry = accounts.find(([name]) => name === wanted);
    const uid = Number(entry?.[2]);
    const gid = Number(entry?.[3]);
    if (uid > 0 && gid > 0) return { name: wanted, uid, gid };
  }
  throw new BackupError('SERVER_START_FAILED', `PostgreSQL's server does not run as root, and there is no other account for it`, {
    hint: `Create an account named ${PREFERRED[0]}, or run the backup as an unprivileged user.`,
  });
}
