import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { readServerFacts, type ServerFacts } from '../postgres/server-facts.ts';

/**
 * Reaches a server that may have lost the very database that is to come back: through that database, or through one that every
 * server has. Returns the connection that worked.
 */
export async function reachServer(connection: ConnectionOptions): Promise<{ connection: ConnectionOptions; facts: ServerFacts }> {
  let missing: unknown;
  for (const database of new Set([connection.database, 'postgres', 'template1'])) {
    const attempt = { ...connection, database };
    try {
      return { connection: attempt, facts: await withClient(attempt, readServerFacts) };
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'SOURCE_DATABASE_MISSING') throw error;
      missing ??= error;
    }
  }
  throw missing;
}
