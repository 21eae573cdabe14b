import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { attachAlone, type PostDataStep } from './attach-alone.ts';
import { databaseArgument, restoreEnvironment } from './session.ts';

/** The programs and where they are to work. */
export interface ProgramTarget {
  readonly programs: ClientPrograms;
  readonly connection: ConnectionOptions;
  /** As PostgreSQL writes it: `256MB`. For each of the sessions that build indexes. */
  readonly maintenanceWorkMem: string;
  readonly signal: AbortSignal;
}

/** Runs a script through psql and stops at its first error. psql and not the driver, for the script may have `\` commands. */
export async function runScript(target: ProgramTarget, script: AsyncIterable<Uint8Array>, what: string): Promise<void> {
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', '-'];
  await run(target, 'psql', args, what, script);
}

/**
 * Restores what a `pg_dump` archive holds beside definitions: first the rest of the data, then indexes, constraints and all else that
 * comes after the rows, `jobs` at a time. Needs a folder for files of its own.
 */
export async function restoreAfterRows(target: ProgramTarget, archive: string, jobs: number, folder: string): Promise<void> {
  const what = 'what comes after the rows';
  // In the archive's order: rows of extensions have foreign keys already, and pg_restore -j does not wait for what they refer to.
  await restore(target, archive, what, '--section=data');
  const steps = await attachAlone(target.programs, archive, folder, target.signal);
  if (steps) await inSteps(target, archive, steps, jobs);
  else await restore(target, archive, what, '--section=post-data', ...atOnce(jobs));
}

/** Restores a whole archive that pg_dump made (custom, directory or tar format). Needs a folder for files of its own. */
export async function restoreArchive(target: ProgramTarget, archive: string, jobs: number, folder: string): Promise<void> {
  const steps = jobs > 1 ? await attachAlone(target.programs, archive, folder, target.signal) : undefined;
  const before = steps ? ['--section=pre-data', '--section=data'] : [];
  await restore(target, archive, 'the archive', ...before, ...atOnce(jobs));
  if (steps) await inSteps(target, archive, steps, jobs);
}

async function inSteps(target: ProgramTarget, archive: string, steps: readonly PostDataStep[], jobs: number): Promise<void> {
  for (const { list, parallel } of steps) {
    const args = ['--section=post-data', `--use-list=${list}`, ...(parallel ? atOnce(jobs) : [])];
    await restore(target, archive, 'what comes after the rows', ...args);
  }
}

function atOnce(jobs: number): readonly string[] {
  return jobs > 1 ? ['-j', String(jobs)] : [];
}

async function restore(target: ProgramTarget, archive: string, what: string, ...args: readonly string[]): Promise<void> {
  const database = databaseArgument(target.connection.database);
  await run(target, 'pg_restore', [...args, '--exit-on-error', '-d', database, archive], what);
}

async function run(
  { programs, connection, maintenanceWorkMem, signal }: ProgramTarget,
  program: 'psql' | 'pg_restore',
  args: readonly string[],
  what: string,
  stdin?: AsyncIterable<Uint8Array>,
): Promise<void> {
  const env = restoreEnvironment(connection, maintenanceWorkMem);
  try {
    await runProgram(programs.path(program), args, { env, signal, name: program, ...(stdin === undefined ? {} : { stdin }) });
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_FAILED') throw error;
    throw new BackupError('RESTORE_FAILED', `${program} failed while restoring ${what}: ${error.message}`, {
      cause: error,
      hint: 'What it says is what the server said. Compare the versions of server and extensions, and see the log of the server.',
    });
  }
}
