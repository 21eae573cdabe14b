import type { Storage } from '../storage/storage.ts';
import { sizesByDump } from './catalog.ts';
import { FULL, SIDE } from './names.ts';

export interface CatalogLeftover {
  readonly target: string;
  readonly key: string;
  readonly kind: 'side-file' | 'temporary-file' | 'incomplete-upload';
}

/**
 * Side files that belong to no dump: of a run that ended before its dump was stored, or of a removal that stopped at its last step.
 * A target is asked together with all others, because a dump that is missing here may be whole there and this target be due
 * for repair. Dumps and manifests are never leftovers. Throws when a target cannot be listed: "sees nothing" must not mean "is nothing".
 */
export async function findSideFilesWithoutDump(targets: readonly Storage[], signal?: AbortSignal): Promise<CatalogLeftover[]> {
  const seen = await Promise.all(targets.map((target) => sizesByDump(target, signal)));
  const wanted = new Set(
    seen.flatMap((dumps) => [...dumps].filter(([, sizes]) => sizes.has('') || sizes.has(SIDE.manifest)).map(([dump]) => dump)),
  );
  return targets.flatMap((target, at) =>
    [...seen[at]!].flatMap(([dump, sizes]) =>
      wanted.has(dump)
        ? []
        : [...sizes.keys()].map((suffix): CatalogLeftover => ({ target: target.name, key: dump + suffix, kind: 'side-file' })),
    ),
  );
}

/**
 * Removes what killed runs left behind: temporary names, incomplete uploads, side files without a dump. Returns what it removed.
 * To be called only while no other run writes (the caller holds the lock). `before`: temporary names begun later are left alone.
 */
export async function cleanLeftovers(
  targets: readonly Storage[],
  before: Date,
  signal?: AbortSignal,
): Promise<CatalogLeftover[]> {
  const sideFiles = await findSideFilesWithoutDump(targets, signal);
  for (const { target: name, key } of sideFiles) await targets.find((target) => target.name === name)!.remove(key, signal);
  const swept = await Promise.all(
    targets.map(async (target) =>
      (await target.sweep(FULL, before, signal)).map(({ key, kind }): CatalogLeftover => ({ target: target.name, key, kind })),
    ),
  );
  return [...sideFiles, ...swept.flat()];
}
