import { mkdir, open, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError, toBackupError } from '../errors.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { serverAccount } from '../postgres/server-account.ts';
import { bytesText } from '../quantities.ts';
import { fetchWal, type WalInventory } from '../wal/read-wal.ts';
import { chainFolder, layOutBase, spacesFolder, type Tablespaces } from './lay-out-base.ts';
import { chooseRecovery, type RecoverParts, type RecoverRequest, type RecoveryPlan } from './plan-recovery.ts';
import { writeSettings } from './recovery-settings.ts';

export interface Recovered extends RecoveryPlan {
  readonly dataDirectory: string;
  /** By oid: where the files of a tablespace are now. */
  readonly tablespaces: Readonly<Record<string, string>>;
}

/**
 * Makes a data directory that recovers to the target when a server is started on it. Everything is fetched and checked before; on any
 * failure the folder is emptied again.
 */
export async function recover(
  parts: RecoverParts,
  request: RecoverRequest,
  signal: AbortSignal,
  /** Called with the major version of the server before anything is written. */
  before?: (major: number) => Promise<unknown>,
): Promise<Recovered> {
  const { into } = request;
  const { plan, inventory } = await chooseRecovery(parts, request, signal);
  const { manifest } = plan.base;
  const major = Number.parseInt(manifest.serverVersion, 10);
  const programs = await parts.findPrograms(major);
  await before?.(major);
  const made = await ownEmptyFolder(into);
  try {
    await checkSpace(into, plan.diskBytes);
    const spaces = await layOutBase(plan.base, { into, workers: parts.workers, findServer: parts.findServer, signal });
    await verifyFiles(manifest.label, into, programs, signal);
    if (manifest.tablespaces.length > 0) await mapTablespaces(into, spaces);
    const walFolder = request.apart?.walFolder ?? join(into, 'pg_wal');
    await fetchAll(plan, inventory, walFolder, parts.workers, signal);
    // Where all WAL is in place, the server insists on having a command all the same.
    const command = request.apart ? `cp '${walFolder.replaceAll('%', '%%')}/%f' '%p'` : 'false';
    await writeSettings(request, plan.window, into, command);
    await giveToServerAccount([into, walFolder, ...(manifest.tablespaces.length > 0 ? [spacesFolder(into)] : [])], signal);
    return { ...plan, dataDirectory: into, tablespaces: spaces };
  } catch (error) {
    const failure = await failureOf(error, into, plan);
    const paths = made ? [into] : (await readdir(into)).map((name) => join(into, name));
    for (const path of [...paths, spacesFolder(into), chainFolder(into)]) await rm(path, { recursive: true, force: true });
    throw failure;
  }
}

/** Says whether it made the folder. */
async function ownEmptyFolder(into: string): Promise<boolean> {
  let names: string[];
  try {
    names = await readdir(into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(into, { recursive: true, mode: 0o700 });
    return true;
  }
  if (names.length === 0) return false;
  const running = names.includes('postmaster.pid') ? ', and a server may be running on it' : '';
  throw new BackupError('RESTORE_REFUSED', `${into} is not empty${running}`, {
    hint: 'Name a folder that does not exist yet or is empty. Nothing was changed.',
  });
}

/** Before a byte is fetched: what would not fit would fail hours later. */
async function checkSpace(into: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(into);
  if (bavail * bsize < needed) throw diskFull(into, needed, bavail * bsize);
}

/** Programs and the system say it in their own words; what it means for the recovery is the same. */
async function failureOf(error: unknown, into: string, { diskBytes }: RecoveryPlan): Promise<BackupError> {
  const failure = toBackupError(error);
  if (failure.code === 'STORAGE_FULL' || !/No space left on device|ENOSPC/.test(failure.message)) return failure;
  const { bavail, bsize } = await statfs(into);
  return diskFull(into, diskBytes, bavail * bsize, failure);
}

function diskFull(into: string, needed: number, free: number, cause?: BackupError): BackupError {
  return new BackupError(
    'STORAGE_FULL',
    `there is no room in ${into}: it needs ${bytesText(needed)}, ${bytesText(free)} are free`,
    {
      cause,
      hint: 'Free space there, or name a folder on a larger volume with --into. Nothing is left of this attempt.',
    },
  );
}

/** With PostgreSQL's own program and manifest; the WAL comes from the archive and is checked when it is fetched. */
async function verifyFiles(label: string, into: string, programs: ClientPrograms, signal: AbortSignal): Promise<void> {
  await runProgram(programs.path('pg_verifybackup'), ['-n', '-q', into], { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new BackupError('BACKUP_DAMAGED', `the physical backup ${label} is damaged: ${(error as Error).message}`, {
      cause: error,
      hint: 'Recover from another target or from an older backup. Nothing was kept of this attempt.',
    });
  });
}

/** The server makes the links of tablespaces anew from this file when it begins to recover. */
async function mapTablespaces(into: string, spaces: Tablespaces): Promise<void> {
  const map = Object.entries(spaces).map(([oid, path]) => `${oid} ${path.replaceAll('\\', '\\\\').replaceAll('\n', '\\\n')}\n`);
  await writeFile(join(into, 'tablespace_map'), map.join(''));
}

async function fetchAll(plan: RecoveryPlan, inventory: WalInventory, folder: string, workers: number, signal: AbortSignal) {
  const queue = plan.wal.values();
  const work = async (): Promise<void> => {
    for (const name of queue) {
      const handle = await open(join(folder, name.replace(/\.partial$/, '')), 'wx', 0o600);
      try {
        await handle.writeFile(await fetchWal(inventory, name, signal));
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.max(workers, 2) }, work));
}

/** As root: the server does not run as root, and would not be let in. */
async function giveToServerAccount(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const account = await serverAccount();
  if (!account) return;
  for (const path of paths) {
    await runProgram('chown', ['-R', `${account.uid}:${account.gid}`, path], { signal });
  }
}
