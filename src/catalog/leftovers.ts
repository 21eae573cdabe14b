import type { Storage } from '../storage/storage.ts';
import { isListed, sizesByDump } from './catalog.ts';
import { parseDumpName } from './names.ts';

export interface SideFileWithoutDump {
  readonly target: string;
  readonly key: string;
}

export interface FindOptions {
  /** Only those of this source; otherwise of all. */
  readonly source?: string;
  readonly signal?: AbortSignal;
}

/**
 * Side files that belong to no dump: of a run that ended before its dump was stored, or of one that is at work. A target is asked
 * together with all others, because a dump that is missing here may be whole there and this target be due for repair. Dumps and
 * manifests are never among them, nor what a removal has still to finish. Throws when a target cannot be listed: "sees nothing" must
 * not mean "is nothing".
 */
export async function findSideFilesWithoutDump(
  targets: readonly Storage[],
  options: FindOptions = {},
): Promise<SideFileWithoutDump[]> {
  const seen = await Promise.all(targets.map((target) => sizesByDump(target, options.signal)));
  const wanted = new Set(seen.flatMap((dumps) => [...dumps].filter(([, sizes]) => isListed(sizes)).map(([dump]) => dump)));
  return targets.flatMap(({ name }, at) =>
    [...seen[at]!].flatMap(([dump, sizes]) =>
      wanted.has(dump) || (options.source !== undefined && parseDumpName(dump)?.source !== options.source)
        ? []
        : [...sizes.keys()].map((suffix) => ({ target: name, key: dump + suffix })),
    ),
  );
}
