import { BASE, baseLabel } from '../catalog/base-manifest.ts';
import { FULL, labelOf } from '../catalog/names.ts';
import { toBackupError, type BackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** How backups of one kind are called. */
interface Labels {
  readonly of: (source: string, started: Date) => string;
  /** Where they are, before the label. */
  readonly folder: string;
}

export const LOGICAL: Labels = { of: labelOf, folder: FULL };
export const PHYSICAL: Labels = { of: baseLabel, folder: BASE };

/**
 * A label that nothing on any of `targets` has yet, be it whole or left over: that of the start or, when two runs begin in
 * the same second, of the next second that is free. A target that cannot be listed has no say, unless none can.
 */
export async function chooseLabel(
  labels: Labels,
  source: string,
  started: Date,
  targets: readonly Storage[],
  signal: AbortSignal,
  onFailure: (target: string, error: BackupError) => void,
): Promise<string> {
  const asked = new Set(targets);
  const isTaken = async (target: Storage, label: string) => {
    try {
      return await hasAny(target, labels.folder + label, signal);
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
    const label = labels.of(source, new Date(started.getTime() + second * 1000));
    const taken = await Promise.all([...asked].map((target) => isTaken(target, label)));
    if (!taken.includes(true)) return label;
  }
}

async function hasAny(target: Storage, prefix: string, signal: AbortSignal): Promise<boolean> {
  for await (const _ of target.list(prefix, signal)) return true;
  return false;
}
