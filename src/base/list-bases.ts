import { BASE, baseFileKey, parseBaseManifest, PG_MANIFEST, type BaseManifest } from '../catalog/base-manifest.ts';
import { readObject } from '../catalog/catalog.ts';
import { encodeSource } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

export interface BaseCopy {
  readonly target: Storage;
  readonly state: 'whole' | 'missing' | 'damaged';
  /** What is missing or of another size. */
  readonly detail?: string;
}

/** A physical backup, with where it is. */
export interface StoredBaseBackup {
  readonly manifest: BaseManifest;
  readonly copies: readonly BaseCopy[];
}

export interface BaseListing {
  /** Newest first. */
  readonly bases: readonly StoredBaseBackup[];
  /** Manifests that cannot be read: something is there, and it cannot be told what. */
  readonly unreadable: readonly { readonly location: string; readonly error: BackupError }[];
}

/** The physical backups of a source on all targets, by names, sizes and manifests. Throws when a target cannot be listed. */
export async function listBases(targets: readonly Storage[], source: string, signal?: AbortSignal): Promise<BaseListing> {
  const manifests = new Map<string, BaseManifest>();
  const unreadable: BaseListing['unreadable'][number][] = [];
  const seen: Map<string, number>[] = [];
  for (const target of targets) {
    const sizes = new Map<string, number>();
    seen.push(sizes);
    for await (const { key, size } of target.list(`${BASE}base_${encodeSource(source)}_`, signal)) sizes.set(key, size);
    for (const key of sizes.keys()) {
      if (!key.endsWith('.meta') || key.slice(BASE.length).includes('/')) continue;
      try {
        const manifest = parseBaseManifest(await readObject(target, key, signal), target.location(key));
        // Of two that differ, the one that names more copies was written later.
        if ((manifests.get(manifest.label)?.copies.length ?? -1) < manifest.copies.length)
          manifests.set(manifest.label, manifest);
      } catch (error) {
        signal?.throwIfAborted();
        unreadable.push({ location: target.location(key), error: toBackupError(error) });
      }
    }
  }
  const bases = [...manifests.values()]
    .filter((manifest) => manifest.source === source)
    .map((manifest) => ({
      manifest,
      copies: targets.map((target, at) => copyOn(target, manifest, seen[at]!)),
    }));
  bases.sort((a, b) => (a.manifest.finishedAt < b.manifest.finishedAt ? 1 : -1));
  return { bases, unreadable };
}

function copyOn(target: Storage, { label, archives, pgManifest }: BaseManifest, sizes: ReadonlyMap<string, number>): BaseCopy {
  const files = [...archives, { name: PG_MANIFEST, bytes: pgManifest.bytes }];
  const found = files.map(({ name, bytes }) => ({ name, bytes, there: sizes.get(baseFileKey(label, name)) }));
  if (found.every(({ there }) => there === undefined)) return { target, state: 'missing' };
  const bad = found.find(({ bytes, there }) => there !== bytes);
  if (!bad) return { target, state: 'whole' };
  const detail =
    bad.there === undefined ? `${bad.name} is missing` : `${bad.name} has ${bad.there} bytes instead of ${bad.bytes}`;
  return { target, state: 'damaged', detail };
}
