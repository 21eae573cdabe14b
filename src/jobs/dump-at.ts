import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dumpKey } from '../catalog/names.ts';
import { BackupError } from '../errors.ts';
import { createDiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import type { RecoveryTarget } from '../wal/choose-window.ts';
import type { NightlyBackupParts } from './backup-parts.ts';
import { openDrillFolder, sweepDrillFolders } from './drill-area.ts';
import type { JobContext } from './job.ts';
import { createNightlyBackup } from './nightly-backup.ts';
import type { RecoverParts } from './plan-recovery.ts';
import { recoverApart } from './recover-apart.ts';

/** A backup of the database as it was at an instant: in a folder that goes with {@link remove}. */
export interface DumpAt {
  readonly copies: readonly Storage[];
  readonly key: string;
  /** What the recovery came to. */
  readonly reached: { readonly lsn: string; readonly lastTransaction?: string };
  /** Removes it. */
  remove(): Promise<void>;
}

export interface DumpAtParts {
  readonly recovery: RecoverParts;
  /** As for the nightly backup: what it dumps with. */
  readonly dump: Omit<NightlyBackupParts, 'connection' | 'targets' | 'spool' | 'reports' | 'hooks' | 'stall'>;
}

/**
 * Recovers to the target in a throw-away server and dumps the source's database there: a backup like any other, with its digests, that stock
 * tools and a restore read. The server is gone when this resolves.
 */
export async function dumpAt({ recovery, dump }: DumpAtParts, target: RecoveryTarget, context: JobContext): Promise<DumpAt> {
  const { clock, signal } = context;
  await sweepDrillFolders(dump.workFolder);
  const folder = await openDrillFolder(dump.workFolder);
  try {
    const at = await recoverApart(recovery, { target, folder: folder.path, clock, signal });
    try {
      // The folder itself is locked, and so is that of a backup being made.
      const root = join(folder.path, 'backup');
      await mkdir(root, { mode: 0o700 });
      const storage = createDiskStorage({ name: 'instant', root });
      const made = await createNightlyBackup({
        ...{ ...dump, connection: at.connection, targets: [storage], spool: storage, workFolder: folder.path },
        reports: [{ storage, prefix: 'logs/' }],
      }).run(context);
      const { label, error } = made;
      if (label === undefined || (made.outcome !== 'success' && made.outcome !== 'incomplete')) {
        throw new BackupError(
          error?.code ?? 'RESTORE_FAILED',
          `the database was recovered and could not be read: ${error?.message ?? made.outcome}`,
          {
            ...(error?.hint !== undefined && { hint: error.hint }),
          },
        );
      }
      const { reached } = at;
      return { copies: [storage], key: dumpKey(label, dump.dump.codec), reached, remove: () => folder.remove() };
    } finally {
      await at.server.stop();
    }
  } catch (error) {
    await folder.remove();
    throw error;
  }
}
