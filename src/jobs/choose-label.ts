import { FULL, labelOf } from '../catalog/names.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * A label that nothing on any of `targets` has yet, be it whole or left over: that of the start or, when two runs begin in
 * the same second, of the next second that is free.
 */
export async function chooseLabel(
  source: string,
  started: Date,
  targets: readonly Storage[],
  signal: AbortSignal,
): Promise<string> {
  for (let second = 0; ; second += 1) {
    const label = labelOf(source, new Date(started.getTime() + second * 1000));
    const taken = await Promise.all(targets.map((target) => hasAny(target, FULL + label, signal)));
    if (!taken.includes(true)) return label;
  }
}

async function hasAny(target: Storage, prefix: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of target.list(prefix, signal)) return true;
  return false;
}
