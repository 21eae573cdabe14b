import { BackupError, toBackupError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { readObject } from './catalog.ts';
import { SIDE } from './names.ts';

/** Why a backup is kept whatever the retention says: the `.pin` file beside its dump, on each target that has it. JSON. */
export interface Pin {
  readonly reason?: string;
  readonly pinnedAt: string;
}

/** Whether any of `targets` has a pin for the dump; one is enough. Throws when one of them cannot say. */
export async function isPinned(targets: readonly Storage[], dump: string, signal?: AbortSignal): Promise<boolean> {
  const found = await Promise.all(targets.map((target) => target.head(dump + SIDE.pin, signal)));
  return found.some((pin) => pin !== undefined);
}

/** The pin of a dump, from the first of `targets` that has one; `undefined` when none has. What cannot be read is a pin without a reason. */
export async function readPin(targets: readonly Storage[], dump: string, signal?: AbortSignal): Promise<Pin | undefined> {
  for (const target of targets) {
    const found = await target.head(dump + SIDE.pin, signal);
    if (found === undefined) continue;
    try {
      const value = JSON.parse((await readObject(target, dump + SIDE.pin, signal)).toString('utf8')) as Partial<Pin> | null;
      return {
        pinnedAt: typeof value?.pinnedAt === 'string' ? value.pinnedAt : found.modified.toISOString(),
        ...(typeof value?.reason === 'string' && { reason: value.reason }),
      };
    } catch {
      signal?.throwIfAborted();
      return { pinnedAt: found.modified.toISOString() };
    }
  }
  return undefined;
}

/**
 * Pins a dump on all of `targets`. Throws when one of them cannot take the pin, and when the removal of the backup has begun there:
 * then nothing is promised, though other targets may have the pin by now.
 */
export async function pinBackup(targets: readonly Storage[], dump: string, pin: Pin, signal?: AbortSignal): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(pin, null, 2)}\n`);
  const content = {
    async *open(from = 0) {
      yield bytes.subarray(from);
    },
    replayable: true,
    size: bytes.length,
  };
  for (const target of targets) await target.put(dump + SIDE.pin, content, signal);
  // After the pin is there, so that a removal that has not seen it is seen here.
  for (const target of targets) {
    if ((await target.head(dump + SIDE.expired, signal)) === undefined) continue;
    throw new BackupError('BACKUP_UNKNOWN', `the removal of ${target.location(dump)} has begun; it cannot be kept any more`, {
      hint: 'Look at what is left with `backup-manager list-backups`, and pin another one.',
    });
  }
}

/** Takes the pin away on all of `targets`, and throws the first failure after having tried all: one pin that is left still keeps the backup. */
export async function unpinBackup(targets: readonly Storage[], dump: string, signal?: AbortSignal): Promise<void> {
  const failures: BackupError[] = [];
  for (const target of targets) {
    await target.remove(dump + SIDE.pin, signal).catch((error: unknown) => failures.push(toBackupError(error)));
  }
  signal?.throwIfAborted();
  if (failures[0]) throw failures[0];
}
