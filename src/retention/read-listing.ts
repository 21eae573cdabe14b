import type { Backup, BackupCopy } from '../catalog/backup.ts';
import type { Listing } from '../catalog/catalog.ts';
import { BackupError } from '../errors.ts';
import type { HeldState, StoredBackup } from './stored-backup.ts';

export interface Knowledge {
  /** Labels that a drill has proven. */
  readonly proven: ReadonlySet<string>;
  /** By key of the dump: why it is pinned. */
  readonly pins: ReadonlyMap<string, string>;
  /** Whether a re-read has found the copy damaged and nothing has mended it since. */
  readonly isDamaged: (target: string, key: string) => boolean;
}

/** A listing as the retention sees it. */
export function readListing({ backups }: Listing, knowledge: Knowledge): StoredBackup[] {
  return backups.map((backup): StoredBackup => {
    const { key, label, source, started, manifest } = backup;
    const verified = verifiedTime(backup);
    return {
      ...{ key, label, source: manifest?.source ?? source, named: started.getTime() },
      ...verified,
      ...(backup.pinned === true && { pin: knowledge.pins.get(key) ?? '' }),
      proven: knowledge.proven.has(label),
      held: new Map(
        backup.copies.flatMap((copy): [string, HeldState][] => {
          const state = heldState(backup, copy, verified.time !== undefined);
          if (state === undefined) return [];
          const damaged = state !== 'expired' && knowledge.isDamaged(copy.target, key);
          return [[copy.target, damaged ? 'unusable' : state]];
        }),
      ),
    };
  });
}

/**
 * Throws when a listing cannot be all that is stored, so that nothing may be concluded from what it does not show: a target that could
 * not be asked, a manifest that could not be read, a target that shows nothing though manifests say that it has copies.
 */
export function refusePartialListing({ backups, unreachable }: Listing, targets: readonly string[]): void {
  const [silent] = unreachable;
  if (silent) throw silent.error;
  const unknown = backups.find(({ state }) => state === 'unknown');
  if (unknown) throw partial(`${unknown.label}: ${unknown.problem ?? 'it is not known what it is'}`);
  for (const target of targets) {
    const shown = backups.some(({ copies }) => copies.some((copy) => copy.target === target && copy.state !== 'missing'));
    const promised = backups.find(({ manifest }) => manifest?.copies.some((copy) => copy.target === target) ?? false);
    if (!shown && promised) {
      throw partial(`${target} shows no backup at all, though ${promised.label} was stored there`);
    }
  }
}

function partial(what: string): BackupError {
  return new BackupError('STORAGE_FAILED', `what is stored is not fully known (${what}); nothing was removed on any target`, {
    hint: 'See whether the volume is mounted, and bucket and prefix are the right ones. `backup-manager list-backups` shows what is seen.',
  });
}

function verifiedTime({ label, manifest, problem }: Backup): { readonly time?: number; readonly problem?: string } {
  if (manifest === undefined) return problem === undefined ? {} : { problem };
  if (manifest.label !== label) return { problem: `its manifest is that of ${manifest.label}` };
  const time = Date.parse(manifest.snapshot.time);
  return Number.isNaN(time) ? { problem: `its manifest gives the time ${JSON.stringify(manifest.snapshot.time)}` } : { time };
}

function heldState({ manifest, copies }: Backup, { state }: BackupCopy, verified: boolean): HeldState | undefined {
  switch (state) {
    case 'expired':
      return state;
    case 'missing':
      // A manifest that has outlived its dump; the listing does not say where.
      return copies.every((copy) => copy.state === 'missing') ? 'unusable' : undefined;
    case 'whole':
      if (!verified) return 'unusable';
      return manifest?.outcome === 'complete' ? 'sound' : 'usable';
    case 'side-file-missing':
      return verified ? 'usable' : 'unusable';
    case 'manifest-missing':
      return verified ? 'unindexed' : 'unusable';
    case 'size-differs':
    case 'unjudged':
    case 'unreachable':
      return 'unusable';
  }
}
