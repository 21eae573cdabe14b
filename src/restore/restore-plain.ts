import type { Manifest } from '../catalog/manifest.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError } from '../errors.ts';
import { runProgram } from '../postgres/run-program.ts';
import { inspectTarget, restoreBeside } from './beside.ts';
import { createPhaseRunner, type PhaseTime, type RunContext } from './phases.ts';
import { databaseArgument, restoreEnvironment } from './session.ts';
import { NO_CHOICE, sedForVersions, type ExtensionChoice } from './extension-choice.ts';
import type { RestoreInput } from './restore.ts';
import { gatherStatistics } from './statistics.ts';

export interface PlainInput extends Pick<RestoreInput, 'connection' | 'programs'> {
  readonly manifest: Manifest;
  /** The dump on this machine's disk. */
  readonly path: string;
}

export interface PlainOptions {
  /** Name of the database to make. */
  readonly database: string;
  /** Tables that are analyzed at the same time. */
  readonly sessions: number;
  /** Versions are named by `sed` between the two programs. */
  readonly extensions?: Pick<ExtensionChoice, 'versions'>;
}

export interface PlainResult {
  /** As a person would type it. */
  readonly command: string;
  readonly phases: readonly PhaseTime[];
  readonly warnings: readonly string[];
}

const DECOMPRESS: Record<CodecName, string> = { gzip: 'gunzip -c', zstd: 'zstd -dcq' };

/**
 * The pipe that our promise is about. A shell tells the exit status of psql; that of the program before it comes through
 * descriptor 3: without it a dump that is cut off at a statement's end would count as restored.
 */
const pipe = (edit: string): string => `
status=$( { { $DECOMPRESS "$1"; echo $? >&3; } ${edit}| "$2" -X -q -v ON_ERROR_STOP=1 -o /dev/null -d "$3" >/dev/null; } 3>&1 ) || exit
[ "$status" = 0 ]
`;

/**
 * Restores a dump with nothing of ours but the name of the new database: `gunzip -c FILE | psql -X -v ON_ERROR_STOP=1 NEWDB`, then
 * ANALYZE. Throws `RESTORE_FAILED`, `CLIENT_PROGRAM_MISSING` without the program that decompresses, `ABORTED`.
 */
export async function restorePlain(input: PlainInput, options: PlainOptions, context: RunContext): Promise<PlainResult> {
  const { manifest, path, programs } = input;
  const { signal } = context;
  const decompress = DECOMPRESS[manifest.codec.name];
  await checkProgram(decompress.split(' ')[0]!, manifest.codec.name, signal);
  const sed = sedForVersions(options.extensions ?? NO_CHOICE);
  const phases = createPhaseRunner(context);
  const target = await phases.run('preflight', () => inspectTarget(input.connection, options));
  const { filled, warnings } = await restoreBeside(
    target,
    options,
    manifest.database,
    { ...context, phases },
    async (connection) => {
      await phases.run('script', () => runPipe(decompress, sed, input, connection.database, signal));
      return await phases.run('statistics', () => gatherStatistics(connection, options.sessions, signal));
    },
  );
  const edit = sed === undefined ? '' : ` | sed '${sed.replaceAll("'", `'\\''`)}'`;
  const command = `${decompress} ${path}${edit} | ${programs.path('psql')} -X -v ON_ERROR_STOP=1 ${options.database}`;
  return { command, phases: phases.times, warnings: [...warnings, ...filled] };
}

async function runPipe(
  decompress: string,
  sed: string | undefined,
  input: PlainInput,
  database: string,
  signal: AbortSignal,
): Promise<void> {
  const { connection, programs, path } = input;
  // Settings of the database (read only, a time limit) are lifted, as in any restore; a person would not have them in a new database.
  const env = { ...restoreEnvironment(connection, '64MB'), DECOMPRESS: decompress, ...(sed !== undefined && { SED: sed }) };
  const script = pipe(sed === undefined ? '' : '| LC_ALL=C sed -e "$SED" ');
  const args = ['-c', script, 'restore', path, programs.path('psql'), databaseArgument(database)];
  try {
    await runProgram('/bin/sh', args, { env, signal, name: `${decompress} | psql` });
  } catch (error) {
    if (!(error instanceof BackupError) || error.code !== 'CLIENT_PROGRAM_FAILED') throw error;
    throw new BackupError('RESTORE_FAILED', error.message, {
      cause: error,
      hint: 'A plain restore has to work without this program. Compare with a restore by `backup-manager restore`.',
    });
  }
}

async function checkProgram(program: string, codec: CodecName, signal: AbortSignal): Promise<void> {
  try {
    await runProgram('/bin/sh', ['-c', 'command -v "$1" >/dev/null', 'look', program], { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new BackupError(
      'CLIENT_PROGRAM_MISSING',
      `the program ${program} is missing, so that a plain restore cannot be tried`,
      {
        cause,
        hint: `Install the package ${codec === 'gzip' ? 'gzip' : 'zstd'}.`,
      },
    );
  }
}
