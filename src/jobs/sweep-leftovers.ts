import { cleanLeftovers } from '../catalog/leftovers.ts';
import { FULL } from '../catalog/names.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * Removes what killed runs left on `usable` targets; only while holding the lock. Side files without a dump are looked for
 * only when `complete`, that is when every target can be asked: the dump may be whole on the one that cannot.
 * Returns the locations of what it removed. Never removes a dump or a manifest.
 */
export async function sweepLeftovers(
  usable: readonly Storage[],
  complete: boolean,
  before: Date,
  signal: AbortSignal,
): Promise<string[]> {
  if (complete) {
    const leftovers = await cleanLeftovers(usable, before, signal);
    return leftovers.map(({ target, key }) => usable.find(({ name }) => name === target)?.location(key) ?? key);
  }
  const swept = await Promise.all(
    usable.map(async (target) => (await target.sweep(FULL, before, signal)).map(({ key }) => target.location(key))),
  );
  return swept.flat();
}
