import { BackupError } from '../errors.ts';
import { quoteIdentifier, withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { readServerFacts, type ServerFacts } from '../postgres/server-facts.ts';

/**
 * Reaches a server that may have lost the very database that is to come back, or keep it closed: through that database, or through one that every
 * server has. Returns the connection that worked.
 */
export async function reachServer(connection: ConnectionOptions): Promise<{ connection: ConnectionOptions; facts: ServerFacts }> {
  let first: BackupError | undefined;
  for (const database of new Set([connection.database, 'postgres', 'template1'])) {
    const attempt = { ...connection, database };
    try {
      return { connection: attempt, facts: await withClient(attempt, readServerFacts) };
    } catch (error) {
      if (!(error instanceof BackupError)) throw error;
      if (isClosed(error)) first ??= closed(error, database);
      else if (error.code === 'SOURCE_DATABASE_MISSING') first ??= error;
      else throw error;
    }
  }
  throw first!;
}

/** SQLSTATE object_not_in_prerequisite_state: the database does not allow connections. */
function isClosed({ code, cause }: BackupError): boolean {
  return code === 'SOURCE_UNREACHABLE' && cause instanceof Error && 'code' in cause && cause.code === '55000';
}

function closed(error: BackupError, database: string): BackupError {
  return new BackupError('SOURCE_UNREACHABLE', error.message, {
    cause: error,
    hint: `The server runs, but the database is closed. Open it: ALTER DATABASE ${quoteIdentifier(database)} ALLOW_CONNECTIONS true;`,
  });
}
