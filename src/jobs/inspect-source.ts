import type { ServerProperties } from '../catalog/manifest.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { refusePooler } from '../postgres/pooler.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { readServerFacts } from '../postgres/server-facts.ts';

export interface Source {
  readonly server: ServerProperties;
  readonly programs: ClientPrograms;
  /** `pg_database_size`. */
  readonly databaseBytes: number;
}

/** Reaches the server, refuses what cannot be backed up (too old, a pooler in between) and finds the programs for it. */
export async function inspectSource(
  connection: ConnectionOptions,
  findPrograms: (serverMajor: number) => Promise<ClientPrograms>,
  signal: AbortSignal,
): Promise<Source> {
  return await orAbort(signal, inspect(connection, findPrograms));
}

async function inspect(
  connection: ConnectionOptions,
  findPrograms: (serverMajor: number) => Promise<ClientPrograms>,
): Promise<Source> {
  const { facts, databaseBytes } = await withClient(connection, async (client) => {
    const facts = await readServerFacts(client);
    const { rows } = await client.query<{ size: string }>(
      'SELECT pg_catalog.pg_database_size(pg_catalog.current_database()) AS size',
    );
    return { facts, databaseBytes: Number(rows[0]!.size) };
  });
  await refusePooler(connection);
  return {
    server: {
      version: facts.version,
      versionNum: facts.versionNumber,
      ...(facts.systemIdentifier === undefined ? {} : { systemIdentifier: facts.systemIdentifier }),
      standby: facts.standby,
    },
    programs: await findPrograms(facts.major),
    databaseBytes,
  };
}

/** A server that does not answer must not hold up a stop for the whole connection timeout: nothing depends on the answer any more. */
async function orAbort<T>(signal: AbortSignal, answer: Promise<T>): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort!);
  }
}
