import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';

export type HookStage = 'pre' | 'post' | 'error';

export interface HookFiles {
  /** Paths, in the order they run. */
  readonly run: readonly string[];
  /** What lies there but is not run, and why. */
  readonly left: readonly string[];
}

/** What editors and package managers leave beside a file. A dot within a name is none of it: `10-freeze.sh` runs. */
const DEBRIS = /^\.|~$|\.(bak|orig|rej|swp|swo|tmp|dpkg-\w+|rpm\w+)$|^#.*#$/;
const WRITABLE_BY_OTHERS = 0o022;
const EXECUTABLE = 0o111;

/**
 * The executables of `<directory>/<stage>-backup.d`, by name in byte order. They run with our rights: only what belongs to root
 * or to us, and nobody else can write to, is run. Throws `HOOK_FAILED` for one that could be somebody else's; what is not
 * executable is left, and named. A folder that does not exist holds none.
 */
export async function findHooks(directory: string, stage: HookStage): Promise<HookFiles> {
  const folder = join(directory, `${stage}-backup.d`);
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { run: [], left: [] };
    throw untrusted(`the hooks in ${folder} cannot be listed: ${(cause as Error).message}`, cause);
  }
  const run: string[] = [];
  const left: string[] = [];
  await refuseOthers(folder);
  for (const name of names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    if (DEBRIS.test(name)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch((cause: unknown) => {
      throw untrusted(`the hook ${path} cannot be looked at: ${(cause as Error).message}`, cause);
    });
    if (!found.isFile()) left.push(`${path} is not a file`);
    else if ((found.mode & EXECUTABLE) === 0) left.push(`${path} is not executable`);
    else {
      await refuseOthers(path);
      run.push(path);
    }
  }
  return { run, left };
}

async function refuseOthers(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  if (uid !== 0 && uid !== process.getuid?.()) throw untrusted(`${path} belongs to account ${uid}, neither to root nor to us`);
  if ((mode & WRITABLE_BY_OTHERS) !== 0) {
    throw untrusted(`${path} may be written by others (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`);
  }
}

function untrusted(message: string, cause?: unknown): BackupError {
  return new BackupError('HOOK_FAILED', `${message}; no hook of this folder is run`, {
    cause,
    hint: 'Hooks run with the rights of the backup. Give folder and files to root or to the account of the backup: chown, chmod go-w.',
  });
}
