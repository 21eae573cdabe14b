import { FULL, labelOf } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * A label that nothing on any of `targets` has yet, be it whole or left over: that of the start or, when two runs begin in
 * the same second, of the next second that is free. A target that cannot be listed has no say, unless none can.
 */
export async function chooseLabel(
  source: string,
  started: Date,
  targets: readonly Storage[],
  signal: AbortSignal,
  onFailure: (target: string, error: BackupError) => void,
): Promise<string> {
  const asked = new Set(targets);
  const isTaken = async (target: Storage, label: string) => {
    try {
      return await hasAny(target, FULL + label, signal);
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toBackupError(thrown);
      asked.delete(target);
      // Nobody is left to say that nothing would be replaced.
      if (asked.size === 0) throw error;
      onFailure(target.name, error);
      return false;
    }
  };
  for (let second = 0; ; second += 1) {
    const label = labelOf(source, new Date(started.getTime() + second * 1000));
    const taken = await Promise.all([...asked].map((target) => isTaken(target, label)));
    if (!taken.includes(true)) return label;
  }
}

async function hasAny(target: Storage, prefix: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of target.list(prefix, signal)) return true;
  return false;
}
