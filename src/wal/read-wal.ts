import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BaseManifest } from '../catalog/base-manifest.ts';
import { parseHistory, type TimelineSwitch } from '../catalog/timeline-history.ts';
import type { WalMoment } from '../catalog/wal-meta.ts';
import { parseWalFile, parseWalKey, WAL_META, walFolder, walKey, type WalFile } from '../catalog/wal-names.ts';
import { CODECS, type CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { fetchOpen, lookAtOpen } from './open-segment.ts';
import { recoverable, type BaseFacts, type OpenLook, type Recoverable, type StoredWal } from './recoverable.ts';
import { fetchCopy, momentsOfCopy, type ReceivedWal, type StoredWalCopy, type WalCopy } from './wal-copy.ts';

export interface WalPlaces {
  readonly targets: readonly Storage[];
  /** The receiver's folder, where it is on this machine: what has just come in is nowhere else yet. */
  readonly incoming?: string;
}

/** All stored WAL of one source, of all targets together. */
export interface WalInventory {
  readonly segmentBytes: number;
  /** WAL of another cluster is taken for damaged. Absent: it is not known which it is to be. */
  readonly systemIdentifier?: string;
  /** Copies of each file, by PostgreSQL's name of it. */
  readonly copies: ReadonlyMap<string, readonly WalCopy[]>;
  readonly histories: ReadonlyMap<number, readonly TimelineSwitch[]>;
}

/**
 * How many of the newest segments of a window are asked for the source's clock, at most: between two looks at it a busy source fills many,
 * and an idle one has its segments ended without any.
 */
const ASKED = 512;
const PARTIAL = '.partial';

/** Reads names only, and the few files of timelines. Throws when a target cannot be listed. */
export async function readWal(
  { targets, incoming }: WalPlaces,
  source: string,
  segmentBytes: number,
  signal?: AbortSignal,
): Promise<WalInventory> {
  const copies = new Map<string, WalCopy[]>();
  for (const target of targets) {
    const sizes = new Map<string, number>();
    for await (const { key, size } of target.list(walFolder(source), signal)) sizes.set(key, size);
    for (const [key, bytes] of sizes) {
      const parsed = parseWalKey(key);
      if (!parsed || !parseWalFile(parsed.file, segmentBytes) || !sizes.has(key + WAL_META)) continue;
      const copy = { target, key, codec: parsed.codec, bytes };
      copies.set(parsed.file, [...(copies.get(parsed.file) ?? []), copy]);
    }
  }
  for (const copy of incoming === undefined ? [] : await received(incoming, segmentBytes)) {
    const file = basename(copy.path);
    copies.set(file, [...(copies.get(file) ?? []), copy]);
  }
  const histories = new Map<number, TimelineSwitch[]>();
  for (const file of copies.keys()) {
    const parsed = parseWalFile(file, segmentBytes);
    if (parsed?.kind !== 'history') continue;
    const bytes = await fetchWal({ copies, histories, segmentBytes }, file, signal);
    histories.set(parsed.timeline, parseHistory(Buffer.from(bytes).toString('utf8')));
  }
  return { segmentBytes, copies, histories };
}

/**
 * What can be recovered from these backups and this WAL; reads the metas of the last segments, for their times. An open segment is read as
 * a whole: its file has its full size from the start, and counts as far as its records go, if it is of the backup's server.
 */
export async function recoverableFrom(
  bases: readonly (BaseFacts & Pick<BaseManifest, 'systemIdentifier'>)[],
  inventory: WalInventory,
  options: { readonly timeline?: number; readonly signal?: AbortSignal } = {},
): Promise<Recoverable> {
  const segments = new Set<string>();
  const open = new Set<string>();
  for (const file of inventory.copies.keys()) {
    const kind = parseWalFile(file, inventory.segmentBytes)?.kind;
    if (kind === 'segment') segments.add(file);
    if (kind === 'partial') open.add(file.slice(0, -PARTIAL.length));
  }
  const known = new Map<string, readonly WalMoment[]>();
  const looks = new Map<string, OpenLook>();
  const wal: StoredWal = {
    ...{ segmentBytes: inventory.segmentBytes, segments, open, histories: inventory.histories },
    momentsOf: (segment) => known.get(segment) ?? [],
    lookOf: (segment) => looks.get(segment),
  };
  const ask = async (name: string, base: string): Promise<readonly WalMoment[]> => {
    if (segments.has(name)) return await momentsOf(inventory, name, options.signal);
    const { systemIdentifier } = bases.find(({ label }) => label === base)!;
    const { moments, ...look } = await lookAtOpen(
      { ...inventory, systemIdentifier },
      name + PARTIAL,
      inventory.copies.get(name + PARTIAL)!,
      options.signal,
    );
    looks.set(name, look);
    return moments;
  };
  const draft = recoverable(bases, wal, options.timeline);
  for (const window of draft.windows) {
    for (const name of window.segments.slice(-ASKED).toReversed()) {
      const moments = known.get(name) ?? (await ask(name, window.base));
      known.set(name, moments);
      if (moments.length > 0) break;
    }
  }
  return recoverable(bases, wal, options.timeline);
}

/** Raw bytes of a file of WAL, whole and checked, from the first target that has it so; of an open segment the copy that goes farthest. */
export async function fetchWal(inventory: WalInventory, file: string, signal?: AbortSignal): Promise<Uint8Array> {
  const copies = inventory.copies.get(file) ?? [];
  if (file.endsWith(PARTIAL) && copies.length > 1) return await fetchOpen(inventory, file, copies, signal);
  let failure: BackupError | undefined;
  for (const copy of copies) {
    try {
      return await fetchCopy(copy, file, inventory.systemIdentifier, signal);
    } catch (error) {
      signal?.throwIfAborted();
      failure ??= toBackupError(error);
    }
  }
  throw (
    failure ??
    new BackupError('STORAGE_MISSING', `the file of WAL ${file} is stored nowhere`, {
      hint: 'Recovery ends before it. `backup-manager list-backups --recoverable` shows what can be recovered.',
    })
  );
}

/** The copies of one file, without a look at what else there is. Throws when a target does not answer and no other has it. */
export async function findWal(
  targets: readonly Storage[],
  source: string,
  file: WalFile,
  signal?: AbortSignal,
): Promise<WalInventory> {
  const copies: StoredWalCopy[] = [];
  let failure: BackupError | undefined;
  await Promise.all(
    targets.flatMap((target) =>
      (Object.keys(CODECS) as CodecName[]).map(async (codec) => {
        const key = walKey(source, file, codec);
        try {
          const found = await target.head(key, signal);
          if (found) copies.push({ target, key, codec, bytes: found.size });
        } catch (error) {
          failure = toBackupError(error);
        }
      }),
    ),
  );
  signal?.throwIfAborted();
  if (copies.length === 0 && failure) throw failure;
  // In the order in which targets are asked.
  copies.sort((a, b) => targets.indexOf(a.target) - targets.indexOf(b.target));
  return { segmentBytes: 0, copies: new Map(copies.length === 0 ? [] : [[file.name, copies]]), histories: new Map() };
}

/** Copies on targets; for whoever removes them. */
export function storedCopies({ copies }: WalInventory, file: string): StoredWalCopy[] {
  return (copies.get(file) ?? []).filter((copy) => 'target' in copy);
}

async function received(folder: string, segmentBytes: number): Promise<ReceivedWal[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => (parseWalFile(name, segmentBytes) ? [{ path: join(folder, name), bytes: segmentBytes }] : []));
}

/** Looks at the source's clock that lie in a file; none where no copy says. */
export async function momentsOf(inventory: WalInventory, file: string, signal?: AbortSignal): Promise<readonly WalMoment[]> {
  for (const copy of inventory.copies.get(file) ?? []) {
    try {
      const moments = await momentsOfCopy(copy, inventory.segmentBytes, signal);
      if (moments.length > 0) return moments;
    } catch {
      // Another target may say it; without any, the segment just has no known times.
      signal?.throwIfAborted();
    }
  }
  return [];
}
