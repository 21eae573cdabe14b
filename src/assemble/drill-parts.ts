import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { BackupWatch } from '../jobs/backup-parts.ts';
import type { RestoreDrillParts } from '../jobs/drill-parts.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { longestGap } from '../scheduler.ts';
import { createDiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';

/** Where the reports of drills are, beside `logs/`. */
const RESTORE_TESTS = 'restore-tests/';

/** What the restore drill works with. `others` are the targets that are not on this machine. */
export function drillParts(
  config: Config,
  given: Pick<RestoreDrillParts, 'targets' | 'version'> & {
    readonly others: readonly Storage[];
    readonly backupReports: readonly ReportPlace[];
    readonly decorate: (target: Storage) => Storage;
    readonly watch?: BackupWatch | undefined;
  },
): RestoreDrillParts {
  const { drill, paths, schedule, source } = config;
  const { local } = config.targets;
  const { others, decorate, watch, ...rest } = given;
  // Auditors read them under accounts of their own.
  const folder = decorate(createDiskStorage({ name: 'reports', root: paths.reportRoot, readable: true }));
  return {
    ...rest,
    source: source.name,
    ...(source.listed && { reportName: source.name }),
    sourceNamed: source.named,
    ...(drill.from !== undefined && { from: drill.from }),
    local: local ? ['local'] : [],
    directories: config.programs.directories,
    ...(drill.target && { server: drill.target }),
    workFolder: paths.work,
    // Shared by the containers that share the backups.
    lock: local
      ? { root: local.directory, folder: join(local.directory, RESTORE_TESTS, '.lock') }
      : { root: paths.work, folder: join(paths.work, 'db-backup-drilling') },
    reports: [folder, ...others].map((storage) => ({ storage, prefix: RESTORE_TESTS })),
    workers: config.restore.workers,
    assertions: drill.assertions,
    allowed: drill.allowed,
    rpoMinutes: drill.rpoMinutes,
    rtoMinutes: drill.rtoMinutes,
    scheduleMinutes: () => {
      const gap = longestGap(schedule.backup, schedule.timeZone);
      return gap === undefined ? undefined : gap / 60_000;
    },
    timeouts: drill.timeouts,
    redact: config.redact,
    ...(watch && { watch }),
  };
}
