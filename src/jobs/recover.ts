import { mkdir, open, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaseManifest } from '../catalog/base-manifest.ts';
import { release } from '../codec/release.ts';
import { absentAs, BackupError, toBackupError } from '../errors.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { serverAccount } from '../postgres/server-account.ts';
import { bytesText } from '../quantities.ts';
import { errorReport } from '../report/backup-report.ts';
import type { Storage } from '../storage/storage.ts';
import { fetchWal, type WalInventory } from '../wal/read-wal.ts';
import { checkDataDirectory, forbidStart } from './delta.ts';
import { layOutDelta, startDelta } from './lay-out-delta.ts';
import { chainFolder, layOutBase, spacesFolder, type Tablespaces } from './lay-out-base.ts';
import { chooseRecovery, type RecoverParts, type RecoverRequest, type RecoveryPlan } from './plan-recovery.ts';
import { preloadedOnSource, writeSettings } from './recovery-settings.ts';
import { syncFiles } from './sync-files.ts';
import { startWalAhead, type WalAhead } from './wal-ahead.ts';

export interface Recovered extends RecoveryPlan {
  readonly dataDirectory: string;
  /** By oid: where the files of a tablespace are now. */
  readonly tablespaces: Tablespaces;
  /** What was there already, as it is in the backup. */
  readonly kept?: { readonly files: number; readonly bytes: number };
  /** Of a server that is started at once: its WAL is on its way. The caller ends it. */
  readonly ahead?: WalAhead;
  /** Libraries that the source loads at its start. */
  readonly preloaded: readonly string[];
  /** Takes back what was made. */
  discard(): Promise<void>;
}

/**
 * Makes a data directory that recovers to the target when a server is started on it. Everything is fetched and checked before, but for the
 * WAL of a server that is started at once. On any failure the folder is emptied again; one that had something in it stays, half restored,
 * so that no server starts on it.
 */
export async function recover(
  parts: RecoverParts,
  request: RecoverRequest,
  signal: AbortSignal,
  /** Called with the major version of the server before anything is written. */
  before?: (major: number) => Promise<unknown>,
): Promise<Recovered> {
  const { into } = request;
  const { workers, findServer } = parts;
  const { plan, inventory } = await chooseRecovery(parts, request, signal);
  const { manifest } = plan.base;
  const { short } = plan.window;
  if (short !== undefined) parts.log.warn({ why: short }, 'the open segment of WAL has less than was noted of it');
  const major = Number.parseInt(manifest.serverVersion, 10);
  const programs = await parts.findPrograms(major);
  await before?.(major);
  const { discard, delta } = await ownFolder(request, manifest);
  const onBadCopy = (error: BackupError, { name: target }: Storage): void =>
    parts.log.warn({ target, ...errorReport(error) }, 'a copy of the physical backup cannot be used: another one is taken');
  const begun = delta ? await startDelta(plan, { into, onBadCopy, signal }) : undefined;
  let ahead: WalAhead | undefined;
  try {
    if (!begun) await checkSpace(into, plan.diskBytes);
    if (request.ahead) ahead = await fetchAhead(plan, inventory, request, workers, signal);
    const { spaces, ...laidOut } = begun
      ? await layOutDelta(plan, begun, { into, workers, onBadCopy, signal })
      : { spaces: await layOutBase(plan.base, { into, workers, findServer, onBadCopy, signal }) };
    const own = spacesFolder(into);
    const elsewhere = Object.values(spaces).map((path) => (path.startsWith(`${own}/`) ? own : path));
    const folders = [...new Set([into, ...elsewhere])];
    const verified = async (): Promise<void> => await verifyFiles(manifest.label, into, programs, signal);
    // A server that is thrown away makes nothing durable.
    await (request.apart === true ? verified() : whileSynced(folders, verified, signal));
    if (manifest.tablespaces.length > 0) await mapTablespaces(into, spaces);
    const files = ahead ? plan.wal.filter((name) => name.endsWith('.history')) : plan.wal;
    await fetchAll(files, inventory, join(into, 'pg_wal'), workers, signal);
    const preloaded = await preloadedOnSource(into);
    // Where all WAL is in place, the server insists on having a command all the same.
    await writeSettings(request, plan.window, into, ahead?.command ?? 'false');
    await giveToServerAccount(folders, signal);
    const failure = ahead?.failure();
    if (failure) throw failure;
    return { ...plan, dataDirectory: into, tablespaces: spaces, preloaded, discard, ...laidOut, ...(ahead && { ahead }) };
  } catch (error) {
    await ahead?.end();
    const failure = await failureOf(error, into, plan);
    await discard();
    throw failure;
  }
}

/** Makes the folder, or looks whether it may be used. */
async function ownFolder({ into, delta }: RecoverRequest, manifest: BaseManifest) {
  const names = await absentAs(undefined, readdir(into));
  if (names && names.length > 0) {
    if (delta === true) {
      await checkDataDirectory(into, manifest);
      return { delta: true, discard: () => forbidStart(into) };
    }
    const running = names.includes('postmaster.pid') ? ', and a server may be running on it' : '';
    throw new BackupError('RESTORE_REFUSED', `${into} is not empty${running}`, {
      hint: 'Name a folder that does not exist yet or is empty, or bring a data directory of this server back with --delta. Nothing was changed.',
    });
  }
  await mkdir(into, { recursive: true, mode: 0o700 });
  const discard = async (): Promise<void> => {
    const paths = names ? (await readdir(into)).map((name) => join(into, name)) : [into];
    for (const path of [...paths, spacesFolder(into), chainFolder(into)]) await rm(path, { recursive: true, force: true });
  };
  return { delta: false, discard };
}

async function fetchAhead(
  plan: RecoveryPlan,
  inventory: WalInventory,
  { into, ahead }: RecoverRequest,
  workers: number,
  signal: AbortSignal,
): Promise<WalAhead> {
  const files = plan.wal.filter((name) => !name.endsWith('.history'));
  const keeps = ahead?.keepIn !== undefined;
  return await startWalAhead({ inventory, files, folder: ahead?.keepIn ?? `${into}.wal`, keeps, workers, signal });
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
  if (bavail * bsize < diskBytes) return diskFull(into, diskBytes, bavail * bsize, failure);
  return new BackupError('STORAGE_FULL', `${into} takes no more files, or no more from this account: ${failure.message}`, {
    cause: failure,
    hint: 'Look at its inodes (df -i) and quotas, or name a folder on another volume with --into. Nothing is left of this attempt.',
  });
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

/** The disk has the time while the files are read again, from memory as a rule. */
async function whileSynced(folders: readonly string[], work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const failing = new AbortController();
  const synced = syncFiles(folders, AbortSignal.any([signal, failing.signal]));
  synced.catch(() => undefined);
  try {
    await work();
  } catch (error) {
    failing.abort();
    await synced.catch(() => undefined);
    throw error;
  }
  await synced;
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

async function fetchAll(
  files: readonly string[],
  inventory: WalInventory,
  folder: string,
  workers: number,
  signal: AbortSignal,
): Promise<void> {
  const queue = files.values();
  const work = async (): Promise<void> => {
    for (const name of queue) {
      // What is in the backup itself is as the archive has it, or less.
      const handle = await open(join(folder, name.replace(/\.partial$/, '')), 'w', 0o600);
      try {
        const bytes = await fetchWal(inventory, name, signal);
        await handle.writeFile(bytes);
        release(bytes);
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
