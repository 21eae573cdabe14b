import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { inspectTarget, restoreBeside } from './beside.ts';
import { detectFormat } from './foreign-format.ts';
import { readScript } from './foreign-script.ts';
import { createPhaseRunner, type RunContext } from './phases.ts';
import { DEFAULT_MAINTENANCE_WORK_MEM, MOST_LOADERS, type RestoreOptions, type RestoreResult } from './restore.ts';
import { restoreArchive, runScript, type ProgramTarget } from './run-sql.ts';
import { gatherStatistics } from './statistics.ts';

export interface ForeignInput {
  /** A file or folder on this machine. */
  readonly path: string;
  readonly connection: ConnectionOptions;
  readonly programs: ClientPrograms;
  /** For lists of what an archive holds, while the restore runs. */
  readonly temporaryFolder: string;
}

/**
 * Restores a dump that something else made: SQL (plain, gzip, zstd) through psql, which stops at the first error, or an archive of pg_dump
 * (custom, directory, tar) through pg_restore. Into a new database beside, as with our own. Nothing says what such a file should
 * hold: the result has `proof: 'none'`, whatever happened.
 */
export async function restoreForeign(input: ForeignInput, options: RestoreOptions, context: RunContext): Promise<RestoreResult> {
  const { path, programs } = input;
  const { signal } = context;
  const phases = createPhaseRunner(context);
  const jobs = options.loaders ?? Math.min(availableParallelism(), MOST_LOADERS);
  const maintenanceWorkMem = options.maintenanceWorkMem ?? DEFAULT_MAINTENANCE_WORK_MEM;
  const format = await detectFormat(path);
  const target = await phases.run('preflight', () => inspectTarget(input.connection, options));
  const unanalyzed: string[] = [];
  const { keptDatabase, warnings } = await restoreBeside(
    target,
    options,
    undefined,
    { ...context, phases },
    async (connection) => {
      const program = { programs, connection, maintenanceWorkMem, signal };
      await phases.run('everything', async () => {
        if (format === 'custom' || format === 'directory') await fromArchive(program, path, jobs, input.temporaryFolder);
        else if (format === 'tar') await fromArchive(program, path, 1, input.temporaryFolder);
        else await runScript(program, readScript(path, format, signal), path);
      });
      if (options.analyze !== false)
        unanalyzed.push(...(await phases.run('statistics', () => gatherStatistics(connection, jobs, signal))));
    },
  );
  return {
    database: options.database,
    label: path,
    proof: 'none',
    tables: 0,
    rows: 0,
    phases: phases.times,
    ...(keptDatabase === undefined ? {} : { keptDatabase }),
    warnings: [
      `${path} was not made by db-backup: what it should hold is not known, so nothing is proven but that it ran without an error.`,
      ...unanalyzed,
      ...warnings,
    ],
  };
}

async function fromArchive(program: ProgramTarget, path: string, jobs: number, temporaryFolder: string): Promise<void> {
  const folder = await mkdtemp(join(temporaryFolder, 'db-backup-restore-'));
  try {
    await restoreArchive(program, path, jobs, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
