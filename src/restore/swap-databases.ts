import type { Client } from 'pg';
import { BackupError } from '../errors.ts';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { endSessions } from './drop-database.ts';
import { attachSubscriptions, detachSubscriptions, type DetachedSubscription } from './subscriptions.ts';
import { withSession } from './session.ts';

/** Gives the restored database its name, when no database has it. */
export async function nameDatabase(client: Client, restored: string, name: string): Promise<void> {
  await endSessions(client, restored);
  // The commits of the restore need not be on disk yet: one that waits, and all before it are.
  await client.query('SET synchronous_commit = on');
  await client.query(`ALTER DATABASE ${quoteIdentifier(restored)} RENAME TO ${quoteIdentifier(name)}`);
}

/**
 * Puts `restored` in the place of the database `name`, which from then on is called `kept`. Nobody can be connected to either while they
 * change names, and they do so in one transaction. The old one's subscriptions are stopped first. When anything fails, the old
 * database is as it was, connections allowed. Returns warnings.
 */
export async function swapDatabases(
  client: Client,
  connection: ConnectionOptions,
  names: { restored: string; name: string; kept: string },
): Promise<string[]> {
  const { restored, name, kept } = names;
  const old = quoteIdentifier(name);
  let detached: DetachedSubscription[] = [];
  try {
    await withSession({ ...connection, database: name }, async (inside) => {
      const { rows } = await inside.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await client.query(`ALTER DATABASE ${old} ALLOW_CONNECTIONS false`);
      await endSessions(client, name, rows[0]!.pid);
      detached = await detachSubscriptions(inside);
    });
    await endSessions(client, name);
    await endSessions(client, restored);
    await client.query('SET synchronous_commit = on');
    await client.query('BEGIN');
    await client.query(`ALTER DATABASE ${old} RENAME TO ${quoteIdentifier(kept)}`);
    await client.query(`ALTER DATABASE ${quoteIdentifier(restored)} RENAME TO ${old}`);
    await client.query(`ALTER DATABASE ${quoteIdentifier(kept)} ALLOW_CONNECTIONS true`);
    await client.query('COMMIT');
  } catch (error) {
    await undo(client, connection, name, detached, error);
    throw new BackupError(
      'RESTORE_FAILED',
      `Database ${JSON.stringify(name)} could not be replaced: ${message(error)}. It is as it was.`,
      {
        cause: error,
        hint: 'The restored data was complete; only the change of names failed. Keep other programs from connecting and try again.',
      },
    );
  }
  return detached.map(({ name: subscription, slot, wasEnabled }) => {
    const what = `Subscription ${subscription} of the old database was stopped${slot === null ? '' : ` and parted from its slot ${slot}, which stays on the publisher`}.`;
    return `${what} The restored one is disabled${wasEnabled ? '; enable it when its publisher is to be followed again' : ''}.`;
  });
}

async function undo(
  client: Client,
  connection: ConnectionOptions,
  name: string,
  detached: readonly DetachedSubscription[],
  cause: unknown,
): Promise<void> {
  try {
    await client.query('ROLLBACK');
    await client.query(`ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true`);
    if (detached.length > 0)
      await withSession({ ...connection, database: name }, async (inside) => await attachSubscriptions(inside, detached));
  } catch (error) {
    throw new BackupError(
      'RESTORE_FAILED',
      `Database ${JSON.stringify(name)} could not be replaced (${message(cause)}), and putting it back failed too: ${message(error)}.`,
      {
        cause: error,
        hint: `Its data is untouched. Allow connections again: ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true; and see its subscriptions.`,
      },
    );
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
