import type { Client } from 'pg';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { withSession } from './session.ts';

/** How often and how long apart sessions that linger are asked again to go: 10 seconds in all. */
const TRIES = 100;
const PAUSE_MS = 100;

/** Drops a database of a restore, with whatever sessions and subscriptions are in it. No error when there is none. */
export async function dropDatabase(client: Client, connection: ConnectionOptions, name: string): Promise<void> {
  const { rows } = await client.query<{ subscriptions: string[] | null }>(
    `SELECT (SELECT array_agg(subname::text) FROM pg_subscription WHERE subdbid = d.oid) AS subscriptions FROM pg_database d WHERE datname = $1`,
    [name],
  );
  if (!rows[0]) return;
  if (rows[0].subscriptions) {
    // Restored ones are disabled and have never touched their publisher; a database that has one cannot be dropped.
    await withSession({ ...connection, database: name }, async (inside) => {
      for (const subscription of rows[0]?.subscriptions ?? []) {
        await inside.query(`ALTER SUBSCRIPTION ${quoteIdentifier(subscription)} DISABLE`);
        await inside.query(`ALTER SUBSCRIPTION ${quoteIdentifier(subscription)} SET (slot_name = NONE)`);
        await inside.query(`DROP SUBSCRIPTION ${quoteIdentifier(subscription)}`);
      }
    });
  }
  await client.query(`ALTER DATABASE ${quoteIdentifier(name)} IS_TEMPLATE false`);
  await client.query(`ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS false`);
  await endSessions(client, name);
  await client.query(`DROP DATABASE ${quoteIdentifier(name)}`);
}

/**
 * Ends all sessions of a database other than `keep` (a backend's process id) and waits until they are gone. Throws when they do not go.
 * Autovacuum is left alone (it has no user): only superusers may end it, and the server itself stops it for a RENAME or DROP.
 */
export async function endSessions(client: Client, name: string, keep = 0): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const { rows } = await client.query<{ pid: number; what: string }>(
      `SELECT pid, coalesce(usename || ' (' || application_name || ')', backend_type, 'unknown') AS what
         FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL AND pid NOT IN (pg_backend_pid(), $2)`,
      [name, keep],
    );
    if (rows.length === 0) return;
    const refusals: unknown[] = [];
    for (const { pid } of rows) {
      // A session that we may not end may go by itself, a parallel worker with its leader.
      await client.query('SELECT pg_terminate_backend($1)', [pid]).catch((error: unknown) => refusals.push(error));
    }
    if (tries === TRIES) {
      const refusal = refusals.find((error) => error instanceof Error);
      const why = refusal ? ` (${refusal.message})` : '';
      throw new Error(
        `sessions in database ${JSON.stringify(name)} do not end: ${rows.map(({ pid, what }) => `${pid} ${what}`).join(', ')}${why}`,
      );
    }
    await client.query('SELECT pg_sleep($1)', [PAUSE_MS / 1000]);
  }
}
