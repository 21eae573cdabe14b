import pg, { type Client } from 'pg';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { openLoader } from './session.ts';

// Not those with foreign tables below them: their ANALYZE would read from another server, which may not even be there.
const TABLES = `
SELECT format('%I.%I', n.nspname, c.relname) AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_(toast|temp)'
   AND NOT EXISTS (
       WITH RECURSIVE below (oid) AS (
         SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid UNION SELECT inhrelid FROM below JOIN pg_inherits ON inhparent = below.oid)
       SELECT FROM below JOIN pg_class b USING (oid) WHERE b.relkind = 'f')
 ORDER BY c.relpages DESC`;

/**
 * Gathers the planner's statistics, `sessions` tables at a time, the largest first. The rows are whole without them, so a table
 * that cannot be analyzed (an index on a function that fails, a full disk) is not a failure of the restore: each makes a warning.
 */
export async function gatherStatistics(connection: ConnectionOptions, sessions: number, signal: AbortSignal): Promise<string[]> {
  const clients: Client[] = [];
  const onAbort = (): void => clients.forEach((client) => client.connection.stream.destroy());
  signal.addEventListener('abort', onAbort);
  try {
    const first = await openLoader(connection, 'db-backup statistics');
    clients.push(first);
    const { rows } = await first.query<{ name: string }>(TABLES);
    while (clients.length < Math.min(sessions, rows.length)) clients.push(await openLoader(connection, 'db-backup statistics'));
    const warnings: string[] = [];
    const names = rows.values();
    const analyze = async (client: Client): Promise<void> => {
      for (const { name } of names) {
        signal.throwIfAborted();
        await client.query(`ANALYZE ${name}`).catch((error: unknown) => {
          signal.throwIfAborted();
          // What the server says of the table, and not that the server is gone.
          if (!(error instanceof pg.DatabaseError) || error.severity !== 'ERROR') throw error;
          warnings.push(`No statistics for ${name}: ${error.message}`);
        });
      }
    };
    await Promise.all(clients.map(analyze));
    return warnings;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await Promise.all(clients.map((client) => client.end().catch(() => undefined)));
  }
}
