import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { attachAlone } from './attach-alone.ts';
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
 * comes after the rows, `jobs` at a time. Files of its own are written beside the archive.
 */
export async function restoreAfterRows(target: ProgramTarget, archive: string, jobs: number): Promise<void> {
  const database = databaseArgument(target.connection.database);
  const restore = async (section: string, ...parallel: readonly string[]): Promise<void> => {
    const args = [...parallel, '--exit-on-error', `--section=${section}`, '-d', database, archive];
    await run(target, 'pg_restore', args, 'what comes after the rows');
  };
  // In the archive's order: rows of extensions have foreign keys already, and pg_restore -j does not wait for what they refer to.
  await restore('data');
  const parallel = ['-j', String(jobs)];
  const steps = await attachAlone(target.programs, archive, target.signal);
  if (!steps) await restore('post-data', ...parallel);
  for (const step of steps ?? []) await restore('post-data', ...(step.parallel ? parallel : []), `--use-list=${step.list}`);
}

/** Restores a whole archive that pg_dump made (custom or directory format). */
export async function restoreArchive(target: ProgramTarget, archive: string, jobs: number): Promise<void> {
  const parallel = jobs > 1 ? ['-j', String(jobs)] : [];
  await run(
    target,
    'pg_restore',
    [...parallel, '--exit-on-error', '-d', databaseArgument(target.connection.database), archive],
    'the archive',
  );
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
