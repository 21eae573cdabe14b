import { appendFile, mkdir, open, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extractArchive } from '../base/extract-base.ts';
import { listBases, type StoredBaseBackup } from '../base/list-bases.ts';
import { baseFileKey, PG_MANIFEST } from '../catalog/base-manifest.ts';
import { readObject } from '../catalog/catalog.ts';
import { partialName } from '../catalog/wal-names.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { serverAccount } from '../postgres/server-account.ts';
import type { Storage } from '../storage/storage.ts';
import { chooseWindow, type RecoveryTarget } from '../wal/choose-window.ts';
import { fetchWal, readWal, recoverableFrom, type WalInventory } from '../wal/read-wal.ts';
import type { RecoverableWindow } from '../wal/recoverable.ts';

export interface RecoverParts {
  /** Configured name of the source. */
  readonly source: string;
  /** In the order in which they are asked. */
  readonly targets: readonly Storage[];
  /** Where WAL is received on this machine, if it may be read. */
  readonly incoming?: string;
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  readonly workers: number;
  readonly log: Log;
}

export interface RecoverRequest {
  readonly target: RecoveryTarget;
  /** A folder that does not exist yet, or an empty one: the new data directory. */
  readonly into: string;
  /** `latest` by default. */
  readonly timeline?: number;
  /** What the server does at the target; it promotes itself by default. */
  readonly action?: 'promote' | 'pause';
}

/** What a recovery would fetch, or has fetched. */
export interface RecoveryPlan {
  readonly window: RecoverableWindow;
  readonly base: StoredBaseBackup;
  /** Files of WAL, the open segment last if it is needed. */
  readonly wal: readonly string[];
  readonly baseBytes: number;
  readonly walBytes: number;
}

export interface Recovered extends RecoveryPlan {
  readonly dataDirectory: string;
  /** By oid: where the files of a tablespace are now. */
  readonly tablespaces: Readonly<Record<string, string>>;
}

/** Chooses base and WAL. Throws `RESTORE_REFUSED` for what cannot be reached; reads only. */
export async function planRecovery(parts: RecoverParts, request: RecoverRequest, signal: AbortSignal): Promise<RecoveryPlan> {
  return (await choose(parts, request, signal)).plan;
}

/**
 * Makes a data directory that recovers to the target when a server is started on it. Everything is fetched and checked before; on any
 * failure the folder is emptied again.
 */
export async function recover(parts: RecoverParts, request: RecoverRequest, signal: AbortSignal): Promise<Recovered> {
  const { into } = request;
  const { plan, inventory } = await choose(parts, request, signal);
  const { manifest, copies } = plan.base;
  const programs = await parts.findPrograms(Number.parseInt(manifest.serverVersion, 10));
  const made = await ownEmptyFolder(into);
  const spaces: Record<string, string> = {};
  try {
    const from = copies.find(({ state }) => state === 'whole');
    if (!from) throw nowhereWhole(plan.base);
    for (const { oid } of manifest.tablespaces) {
      spaces[oid] = join(spacesFolder(into), oid);
      await mkdir(spaces[oid], { recursive: true, mode: 0o700 });
    }
    for (const archive of manifest.archives) {
      const oid = archive.name.split('.')[0]!;
      await extractArchive({ manifest, from: from.target, archive, into: spaces[oid] ?? into, workers: parts.workers, signal });
    }
    for (const [oid, path] of Object.entries(spaces)) {
      await rm(join(into, 'pg_tblspc', oid), { force: true });
      await symlink(path, join(into, 'pg_tblspc', oid));
    }
    await verifyFiles(plan.base, from.target, into, programs, signal);
    if (manifest.tablespaces.length > 0) await mapTablespaces(into, spaces);
    await fetchAll(plan, inventory, join(into, 'pg_wal'), parts.workers, signal);
    await writeSettings(request, plan.window, into);
    await giveToServerAccount([into, ...(manifest.tablespaces.length > 0 ? [spacesFolder(into)] : [])], signal);
    return { ...plan, dataDirectory: into, tablespaces: spaces };
  } catch (error) {
    const failure = toBackupError(error);
    const paths = made ? [into] : (await readdir(into)).map((name) => join(into, name));
    for (const path of [...paths, spacesFolder(into)]) await rm(path, { recursive: true, force: true });
    throw failure;
  }
}

async function choose(
  { source, targets, incoming }: RecoverParts,
  { target, timeline }: RecoverRequest,
  signal: AbortSignal,
): Promise<{ plan: RecoveryPlan; inventory: WalInventory }> {
  const { bases } = await listBases(targets, source, signal);
  const usable = bases.filter(({ copies }) => copies.some(({ state }) => state === 'whole'));
  const segmentBytes = usable[0]?.manifest.segmentBytes ?? 16 * 2 ** 20;
  const inventory = await readWal({ targets, ...(incoming !== undefined && { incoming }) }, source, segmentBytes, signal);
  const options = { signal, ...(timeline !== undefined && { timeline }) };
  const found = await recoverableFrom(
    usable.map(({ manifest }) => manifest),
    inventory,
    options,
  );
  const window = chooseWindow(found, target);
  const base = usable.find(({ manifest }) => manifest.label === window.base)!;
  const files = window.segments.map((name) => (inventory.copies.has(name) ? name : partialName(name)));
  const histories = [...inventory.copies.keys()].filter((name) => name.endsWith('.history'));
  const wal = [...histories, ...files];
  return {
    inventory,
    plan: {
      ...{ window, base, wal },
      baseBytes: base.manifest.archives.reduce((sum, { bytes }) => sum + bytes, 0),
      walBytes: wal.reduce((sum, name) => sum + (inventory.copies.get(name)?.[0]?.bytes ?? 0), 0),
    },
  };
}

/** The places of tablespaces on the source may be taken here. */
function spacesFolder(into: string): string {
  return `${into}.tablespaces`;
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

/** With PostgreSQL's own program and manifest; the WAL comes from the archive and is checked when it is fetched. */
async function verifyFiles(
  { manifest }: StoredBaseBackup,
  from: Storage,
  into: string,
  programs: ClientPrograms,
  signal: AbortSignal,
): Promise<void> {
  await writeFile(join(into, PG_MANIFEST), await readObject(from, baseFileKey(manifest.label, PG_MANIFEST), signal));
  await runProgram(programs.path('pg_verifybackup'), ['-n', '-q', into], { signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new BackupError('BACKUP_DAMAGED', `the physical backup ${manifest.label} is damaged: ${(error as Error).message}`, {
      cause: error,
      hint: 'Recover from another target or from an older backup. Nothing was kept of this attempt.',
    });
  });
}

/** The server makes the links of tablespaces anew from this file when it begins to recover. */
async function mapTablespaces(into: string, spaces: Readonly<Record<string, string>>): Promise<void> {
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

async function writeSettings({ target, action }: RecoverRequest, window: RecoverableWindow, into: string): Promise<void> {
  const settings: Record<string, string> = {
    // All WAL is in place; the server insists on having a command.
    restore_command: 'false',
    recovery_target_timeline: String(window.timeline),
    recovery_target_action: action ?? 'promote',
    ...targetSetting(target),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  await appendFile(join(into, 'postgresql.auto.conf'), `# Written by db-backup for this recovery\n${lines.join('')}`);
  await writeFile(join(into, 'recovery.signal'), '', { mode: 0o600 });
}

function targetSetting(target: RecoveryTarget): Record<string, string> {
  switch (target.kind) {
    case 'latest':
      return {};
    case 'immediate':
      return { recovery_target: 'immediate' };
    case 'time':
      // Of zones the server takes only numbers here.
      return { recovery_target_time: target.time.replace('T', ' ').replace(/Z$/i, '+00') };
    case 'lsn':
      return { recovery_target_lsn: target.lsn };
    default:
      return { [`recovery_target_${target.kind}`]: target.value };
  }
}

/** As root: the server does not run as root, and would not be let in. */
async function giveToServerAccount(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const account = await serverAccount();
  if (!account) return;
  for (const path of paths) {
    await runProgram('chown', ['-R', `${account.uid}:${account.gid}`, path], { signal });
  }
}

function nowhereWhole({ manifest, copies }: StoredBaseBackup): BackupError {
  const details = copies.map(({ target, state, detail }) => `${target.name}: ${detail ?? state}`).join('; ');
  return new BackupError('BACKUP_DAMAGED', `the physical backup ${manifest.label} is whole on no target (${details})`, {
    hint: 'Recover from an older one.',
  });
}
