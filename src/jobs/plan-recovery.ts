import { usableBases, type UsableBase } from '../base/chains.ts';
import { listBases } from '../base/list-bases.ts';
import type { BaseArchive } from '../catalog/base-manifest.ts';
import { partialName } from '../catalog/wal-names.ts';
import { BackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import type { Storage } from '../storage/storage.ts';
import { chooseWindow, type RecoveryTarget } from '../wal/choose-window.ts';
import { neededSegments } from '../wal/needed-segments.ts';
import { momentsOf, readWal, recoverableFrom, type WalInventory } from '../wal/read-wal.ts';
import type { Recoverable, RecoverableWindow } from '../wal/recoverable.ts';

export interface RecoverParts {
  /** Configured name of the source. */
  readonly source: string;
  /** In the order in which they are asked. */
  readonly targets: readonly Storage[];
  /** Where WAL is received on this machine, if it may be read. */
  readonly incoming?: string;
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** The same, with the server's programs, of that very version. */
  readonly findServer: (serverMajor: number) => Promise<ClientPrograms>;
  /** Of the source: role and database by which a recovered server is asked. */
  readonly connection: ConnectionOptions;
  readonly workers: number;
  readonly log: Log;
}

export interface RecoverRequest {
  readonly target: RecoveryTarget;
  /** A folder that does not exist yet, or an empty one: the new data directory. With `delta` also a data directory of that cluster. */
  readonly into: string;
  /** Of what is in the folder already what is as in the backup stays. */
  readonly delta?: boolean;
  /** The caller starts a server at once: WAL is fetched while it replays, and not before. With `keepIn` all of it stays in that folder. */
  readonly ahead?: { readonly keepIn?: string };
  /** The newest by default. */
  readonly timeline?: number;
  /** From this physical backup; by default the newest from which the target can be reached. */
  readonly base?: string;
  /** What the server does at the target; it promotes itself by default. */
  readonly action?: 'promote' | 'pause';
  /** The directory is for a server that only we start: it takes no settings of the source. */
  readonly apart?: boolean;
}

/** What a recovery would fetch, or has fetched. */
export interface RecoveryPlan {
  readonly window: RecoverableWindow;
  readonly base: UsableBase;
  /** With `delta`: the incremental backup that would have been taken without it. */
  readonly passedOver?: string;
  /** Files of WAL, the open segment last if it is needed. */
  readonly wal: readonly string[];
  readonly baseBytes: number;
  readonly walBytes: number;
  /** Of the WAL, as the server reads it. */
  readonly walRawBytes: number;
  /** What the new data directory takes, with what lies beside it meanwhile. */
  readonly diskBytes: number;
}

/** Chooses base and WAL. Throws `RESTORE_REFUSED` for what cannot be reached; reads only. */
export async function planRecovery(parts: RecoverParts, request: RecoverRequest, signal: AbortSignal): Promise<RecoveryPlan> {
  return (await chooseRecovery(parts, request, signal)).plan;
}

/** All that can be recovered from these targets, with what it takes. */
export async function recoverableWindows(
  { source, targets, incoming }: Pick<RecoverParts, 'source' | 'targets' | 'incoming'>,
  { timeline }: Pick<RecoverRequest, 'timeline'>,
  signal: AbortSignal,
): Promise<Recoverable & { readonly usable: readonly UsableBase[]; readonly inventory: WalInventory }> {
  const { bases, unreadable } = await listBases(targets, source, signal);
  const { usable, unusable } = usableBases(bases);
  const segmentBytes = usable[0]?.manifest.segmentBytes ?? 16 * 2 ** 20;
  const inventory = await readWal({ targets, ...(incoming !== undefined && { incoming }) }, source, segmentBytes, signal);
  const found = await recoverableFrom(
    usable.map(({ manifest }) => manifest),
    inventory,
    { signal, ...(timeline !== undefined && { timeline }) },
  );
  const notRead = unreadable.map(({ location, error }) => ({ base: location, why: error.message }));
  return { windows: found.windows, unusable: [...found.unusable, ...unusable, ...notRead], usable, inventory };
}

/** What to recover from, and where all of it is. */
export async function chooseRecovery(
  parts: RecoverParts,
  { target, timeline, base: named, delta }: RecoverRequest,
  signal: AbortSignal,
): Promise<{ plan: RecoveryPlan; inventory: WalInventory }> {
  const found = await recoverableWindows(parts, { ...(timeline !== undefined && { timeline }) }, signal);
  const { usable, inventory } = found;
  const { segmentBytes } = inventory;
  if (named !== undefined && !found.windows.some(({ base }) => base === named)) throw notABase(named, found);
  const windows = found.windows.filter(({ base }) => (named ?? base) === base);
  const nearest = chooseWindow({ ...found, windows }, target);
  // There is nothing to compare with in an incremental one.
  const isWhole = ({ base }: RecoverableWindow): boolean =>
    usable.some((each) => labelOf(each) === base && each.chain.length === 1);
  const passedOver = delta === true && !isWhole(nearest) ? nearest.base : undefined;
  const window = passedOver === undefined ? nearest : wholeInstead(passedOver, found, windows.filter(isWhole), target);
  const fileOf = (name: string) => (inventory.copies.has(name) ? name : partialName(name));
  const needed = await neededSegments(window, target, segmentBytes, (name) => momentsOf(inventory, fileOf(name), signal));
  const base = usable.find(({ manifest }) => manifest.label === window.base)!;
  const files = window.segments.slice(0, needed).map(fileOf);
  const histories = [...inventory.copies.keys()].filter((name) => name.endsWith('.history'));
  const wal = [...histories, ...files];
  return {
    inventory: { ...inventory, systemIdentifier: base.manifest.systemIdentifier },
    plan: {
      ...{ window, base, wal, ...(passedOver !== undefined && { passedOver }) },
      // Links of a chain lie beside what they are put together to, which is no larger than all of them.
      diskBytes: rawBytesOf(base) * (base.chain.length > 1 ? 2 : 1) + files.length * segmentBytes,
      walRawBytes: files.length * segmentBytes,
      baseBytes: archivesOf(base).reduce((sum, { bytes }) => sum + bytes, 0),
      walBytes: wal.reduce((sum, name) => sum + (inventory.copies.get(name)?.[0]?.bytes ?? 0), 0),
    },
  };
}

function notABase(label: string, { unusable }: Recoverable): BackupError {
  const why = unusable.find(({ base }) => base === label)?.why;
  const says = why === undefined ? `there is no physical backup ${label}` : `${label} cannot be recovered from: ${why}`;
  return new BackupError('RESTORE_REFUSED', says, {
    hint: 'Nothing was written. `backup-manager list-backups --recoverable` names those that can be recovered from.',
  });
}

function wholeInstead(
  passedOver: string,
  found: Recoverable,
  windows: readonly RecoverableWindow[],
  target: RecoveryTarget,
): RecoverableWindow {
  try {
    return chooseWindow({ ...found, windows }, target);
  } catch (cause) {
    throw new BackupError(
      'RESTORE_REFUSED',
      `a data directory is compared with a full backup, ${passedOver} is incremental, and from no full one the target can be reached: ${(cause as Error).message}`,
      { cause, hint: 'Nothing was changed. Recover into a new folder, without --delta.' },
    );
  }
}

function labelOf({ manifest }: UsableBase): string {
  return manifest.label;
}

/** What is read of a base and of all that it builds on. */
export function rawBytesOf(base: UsableBase): number {
  return archivesOf(base).reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

function archivesOf({ chain }: UsableBase): BaseArchive[] {
  return chain.flatMap(({ manifest }) => manifest.archives);
}
