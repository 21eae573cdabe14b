import { release } from '../codec/release.ts';
import { type BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Backup } from './backup.ts';
import { judgeBackup, type ManifestFinding, type Sighting } from './judge.ts';
import { parseManifest } from './manifest-file.ts';
import { FULL, parseDumpName, SIDE } from './names.ts';

/** Manifests read at the same time: enough to hide the latency of S3, few enough to bound memory. */
const READ_AT_ONCE = 8;
/** A run's label is older than its lock by as long as it takes to ask all targets. */
const BEFORE_LOCK_MS = 10 * 60_000;

export interface ListOptions {
  /** Go on without targets that cannot be listed; they are then named in `unreachable`. Otherwise the first such failure is thrown. */
  readonly allowUnreachable?: boolean;
  /** Since when a run holds the lock of the backup directory: a dump of it that has no manifest yet is being written. */
  readonly writingSince?: Date | undefined;
  /** Leaves out the backups of these sources: no manifest of theirs is read. */
  readonly except?: (source: string) => boolean;
  readonly signal?: AbortSignal;
}

export interface Listing {
  /** Newest first. Every dump that any reachable target knows of, good or not. */
  readonly backups: readonly Backup[];
  readonly unreachable: readonly { readonly target: string; readonly error: BackupError }[];
}

/** All backups of all targets, merged: one entry per dump, saying where it is whole, missing or damaged. Reads names, sizes and manifests only. */
export async function listBackups(targets: readonly Storage[], options: ListOptions = {}): Promise<Listing> {
  const unreachable: { target: string; error: BackupError }[] = [];
  const seen = await Promise.all(
    targets.map(async (target) => {
      try {
        return await sizesByDump(target, options.signal);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!options.allowUnreachable) throw error;
        unreachable.push({ target: target.name, error: toBackupError(error) });
        return undefined;
      }
    }),
  );
  const found = [...new Set(seen.flatMap((dumps) => [...(dumps?.keys() ?? [])]))];
  const keys = found.filter((key) => options.except?.(parseDumpName(key)!.source) !== true);
  const backups = await mapInTurns(keys, READ_AT_ONCE, async (key): Promise<Backup | undefined> => {
    const name = parseDumpName(key);
    const sightings = targets.map((target, at): Sighting => {
      const dumps = seen[at];
      return {
        target: target.name,
        location: target.location(key),
        sizes: dumps && (dumps.get(key) ?? new Map<string, number>()),
      };
    });
    const known = sightings.some(({ sizes }) => sizes !== undefined && isListed(sizes));
    if (!name || !known) return undefined;
    const backup = judgeBackup(key, name, sightings, await findManifest(key, targets, sightings, options.signal));
    return isBeingWritten(backup, options.writingSince) ? beingWritten(backup) : backup;
  });
  const listed = backups.filter((backup) => backup !== undefined);
  listed.sort((a, b) => b.started.getTime() - a.started.getTime() || (a.key < b.key ? 1 : -1));
  return { backups: listed, unreachable };
}

function isBeingWritten({ state, started }: Backup, since: Date | undefined): boolean {
  return state === 'unindexed' && since !== undefined && started.getTime() >= since.getTime() - BEFORE_LOCK_MS;
}

function beingWritten({ problem: _, ...backup }: Backup): Backup {
  return { ...backup, state: 'being-written' };
}

/**
 * Whether what a target has of a backup makes an entry of the listing: a dump; a manifest alone, whose dump was lost; a marker alone,
 * whose removal is to be finished. Other side files alone do not; see leftovers.ts.
 */
export function isListed(sizes: ReadonlyMap<string, number>): boolean {
  return sizes.has('') || sizes.has(SIDE.manifest) || sizes.has(SIDE.expired);
}

/** Sizes of the files of each dump on one target: dump key → suffix (`''` for the dump itself) → bytes. */
export async function sizesByDump(target: Storage, signal?: AbortSignal): Promise<Map<string, Map<string, number>>> {
  const dumps = new Map<string, Map<string, number>>();
  for await (const { key, size } of target.list(FULL, signal)) {
    const suffix = Object.values(SIDE).find((side) => key.endsWith(side)) ?? '';
    const dump = key.slice(0, key.length - suffix.length);
    if (!parseDumpName(dump)) continue;
    const sizes = dumps.get(dump) ?? new Map<string, number>();
    dumps.set(dump, sizes.set(suffix, size));
  }
  return dumps;
}

/** All bytes of an object: for the small files beside a dump. */
export async function readObject(target: Storage, key: string, signal?: AbortSignal): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of target.get(key, undefined, signal)) parts.push(part);
  const whole = Buffer.concat(parts);
  for (const part of parts) release(part);
  return whole;
}

async function findManifest(
  key: string,
  targets: readonly Storage[],
  sightings: readonly Sighting[],
  signal: AbortSignal | undefined,
): Promise<ManifestFinding> {
  let failure: ManifestFinding = { kind: 'absent' };
  for (const [at, target] of targets.entries()) {
    if (!sightings[at]?.sizes?.has(SIDE.manifest)) continue;
    try {
      const bytes = await readObject(target, key + SIDE.manifest, signal);
      return { kind: 'read', manifest: parseManifest(bytes, target.location(key + SIDE.manifest)) };
    } catch (error) {
      signal?.throwIfAborted();
      if (failure.kind === 'absent') failure = { kind: 'unreadable', error: toBackupError(error) };
    }
  }
  return failure;
}

async function mapInTurns<T, R>(items: readonly T[], atOnce: number, run: (item: T) => Promise<R>): Promise<R[]> {
  const results = new Array<R>(items.length);
  const queue = items.entries();
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const [at, item] of queue) results[at] = await run(item);
  });
  await Promise.all(workers);
  return results;
}
