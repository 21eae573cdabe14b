import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { BackupError } from '../errors.ts';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { endSessions } from './drop-database.ts';
import {
  attachStatements,
  attachSubscriptions,
  detachSubscriptions,
  readSubscriptions,
  type Subscription,
} from './subscriptions.ts';
import { withSession } from './session.ts';

/** How often and how long apart a server that lost our connection is asked to take another: a crash takes it a while to recover from. */
const PATIENCE = { tries: 10, pauseMs: 1000 };

/** The database that was to be replaced could not be opened again: its data is untouched, but it takes no connections. */
export class LeftClosedError extends BackupError {}

/** Gives the restored database its name, when no database has it. */
export async function nameDatabase(client: Client, connection: ConnectionOptions, restored: string, name: string): Promise<void> {
  await endSessions(client, restored);
  // The commits of the restore need not be on disk yet: one that waits, and all before it are.
  await client.query('SET synchronous_commit = on');
  try {
    await client.query(`ALTER DATABASE ${quoteIdentifier(restored)} RENAME TO ${quoteIdentifier(name)}`);
  } catch (error) {
    // Perhaps only the server's answer was lost.
    const renamed = await withSession(connection, async (fresh) => !(await exists(fresh, restored))).catch(() => false);
    if (!renamed) throw error;
  }
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
  patience = PATIENCE,
): Promise<string[]> {
  const { restored, name, kept } = names;
  const old = quoteIdentifier(name);
  let subscriptions: Subscription[] = [];
  try {
    await withSession({ ...connection, database: name }, async (inside) => {
      const { rows } = await inside.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await client.query(`ALTER DATABASE ${old} ALLOW_CONNECTIONS false`);
      await endSessions(client, name, rows[0]!.pid);
      subscriptions = await readSubscriptions(inside);
      await detachSubscriptions(inside, subscriptions);
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
    await client.query('ROLLBACK').catch(() => undefined);
    if (!(await undo(connection, names, subscriptions, patience, error))) {
      throw new BackupError(
        'RESTORE_FAILED',
        `Database ${JSON.stringify(name)} could not be replaced: ${message(error)}. It is as it was.`,
        {
          cause: error,
          hint: 'The restored data was complete; only the change of names failed. Keep other programs from connecting and try again.',
        },
      );
    }
  }
  return subscriptions.map(({ name: subscription, slot, wasEnabled }) => {
    const what = `Subscription ${subscription} of the old database was stopped${slot === null ? '' : ` and parted from its slot ${slot}, which stays on the publisher`}.`;
    return `${what} The restored one is disabled${wasEnabled ? '; enable it when its publisher is to be followed again' : ''}.`;
  });
}

/**
 * Opens the old database again, through a connection of its own: the loss of the other one may be what failed. Returns `true` when there
 * is nothing to undo, because the names were changed and only the server's answer was lost.
 */
async function undo(
  connection: ConnectionOptions,
  { name, kept }: { name: string; kept: string },
  subscriptions: readonly Subscription[],
  { tries, pauseMs }: typeof PATIENCE,
  cause: unknown,
): Promise<boolean> {
  const open = `ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true`;
  for (let turn = 1; ; turn += 1) {
    try {
      const swapped = await withSession(connection, async (client) => {
        // Waits for a transaction of ours that the server has not given up yet.
        await client.query(open).catch(async (error: unknown) => {
          // Who may not open it could not close it either.
          if (!(await exists(client, name, 'AND datallowconn'))) throw error;
        });
        return await exists(client, kept);
      });
      if (!swapped && subscriptions.length > 0)
        await withSession({ ...connection, database: name }, async (inside) => await attachSubscriptions(inside, subscriptions));
      return swapped;
    } catch (error) {
      if (turn === tries) throw leftClosed(name, [open, ...attachStatements(subscriptions)], cause, error);
      await sleep(pauseMs);
    }
  }
}

function leftClosed(name: string, statements: readonly string[], cause: unknown, error: unknown): LeftClosedError {
  return new LeftClosedError(
    'RESTORE_FAILED',
    `Database ${JSON.stringify(name)} could not be replaced (${message(cause)}), and putting it back failed too: ${message(error)}. Its data is untouched, but it may take no connections.`,
    {
      cause: error,
      hint: `When the server can be reached, run there: ${statements[0]!};${statements.length > 1 ? ` and then, connected to it: ${statements.slice(1).join('; ')};` : ''}`,
    },
  );
}

async function exists(client: Client, name: string, condition = ''): Promise<boolean> {
  return (await client.query(`SELECT FROM pg_database WHERE datname = $1 ${condition}`, [name])).rowCount === 1;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
