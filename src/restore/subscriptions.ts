import type { Client } from 'pg';
import { quoteIdentifier } from '../postgres/connection.ts';

export interface Subscription {
  readonly name: string;
  readonly slot: string | null;
  readonly wasEnabled: boolean;
}

/** The subscriptions of the database that `client` is connected to. */
export async function readSubscriptions(client: Client): Promise<Subscription[]> {
  const { rows } = await client.query<Subscription>(
    `SELECT subname AS name, subslotname AS slot, subenabled AS "wasEnabled"
       FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY subname`,
  );
  return rows;
}

/**
 * Stops subscriptions of the database that `client` is connected to and parts them from their slots on the publisher, so
 * that a database kept aside neither goes on replicating nor keeps itself from being dropped. The slots stay on the publisher.
 * All of them or none.
 */
export async function detachSubscriptions(client: Client, subscriptions: readonly Subscription[]): Promise<void> {
  await runTogether(
    client,
    subscriptions.flatMap(({ name, slot }) => [
      `ALTER SUBSCRIPTION ${quoteIdentifier(name)} DISABLE`,
      ...(slot === null ? [] : [`ALTER SUBSCRIPTION ${quoteIdentifier(name)} SET (slot_name = NONE)`]),
    ]),
  );
}

/** Undoes {@link detachSubscriptions}; no harm where it was never done. */
export async function attachSubscriptions(client: Client, subscriptions: readonly Subscription[]): Promise<void> {
  await runTogether(client, attachStatements(subscriptions));
}

/** What {@link attachSubscriptions} runs. */
export function attachStatements(subscriptions: readonly Subscription[]): string[] {
  return subscriptions.flatMap(({ name, slot, wasEnabled }) => [
    ...(slot === null ? [] : [`ALTER SUBSCRIPTION ${quoteIdentifier(name)} SET (slot_name = ${quoteIdentifier(slot)})`]),
    ...(wasEnabled ? [`ALTER SUBSCRIPTION ${quoteIdentifier(name)} ENABLE`] : []),
  ]);
}

async function runTogether(client: Client, statements: readonly string[]): Promise<void> {
  if (statements.length === 0) return;
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    // A connection that is gone has rolled back already.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
