import type { Clock } from '../clock.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { ClockReading } from '../health/clock.ts';
import type { ProgramsFound, ServerAnswer } from '../health/server.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { attempted } from './attempted.ts';

export interface ServerParts {
  readonly connection: ConnectionOptions;
  /** Client programs for a server of this version. */
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** Programs to run a server of this very version with. */
  readonly findServerPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** How long the server has to answer, ms. */
  readonly timeoutMs: number;
}

export interface ServerLook {
  readonly answer: ServerAnswer;
  readonly clock: ClockReading | BackupError;
  readonly clients: ProgramsFound;
  readonly drill: ProgramsFound;
}

/** Asks the server what it is and what time it has, and looks for the programs for it. `knownMajor`: of the newest backup, should it not answer. */
export async function lookAtServer(
  parts: ServerParts,
  knownMajor: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<ServerLook> {
  const asked = await askServer(parts, clock, signal);
  const major = 'major' in asked ? asked.major : knownMajor;
  const find = async (search: (major: number) => Promise<ClientPrograms>): Promise<ProgramsFound> => {
    if (major === undefined) {
      return { unknown: true, error: new BackupError('CLIENT_PROGRAM_MISSING', 'the version of the server is not known') };
    }
    try {
      const { version, directory } = await search(major);
      return { version, directory };
    } catch (error) {
      return { error: toBackupError(error) };
    }
  };
  const clients = await find(parts.findPrograms);
  const drill = await find(parts.findServerPrograms);
  return { answer: asked.answer, clock: asked.clock, clients, drill };
}

async function askServer({ connection, timeoutMs }: ServerParts, clock: Clock, signal: AbortSignal) {
  const ask = (own: AbortSignal) =>
    withClient(
      connection,
      async (client) => {
        const { version, standby, major } = await readServerFacts(client);
        const before = clock.now();
        const { rows } = await client.query<{ time: string }>(
          `SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::text AS "time"`,
        );
        const reading: ClockReading = { before, server: new Date(Number(rows[0]!.time)), after: clock.now() };
        return { answer: { version, standby }, clock: reading, major };
      },
      { signal: own },
    );
  const answer = await attempted(ask, timeoutMs, signal);
  if (!(answer instanceof BackupError)) return answer;
  return { answer: { error: answer }, clock: new BackupError(answer.code, 'the server did not answer') };
}
