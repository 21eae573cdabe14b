import type { Client } from 'pg';
import { quoteIdentifier } from '../postgres/connection.ts';

export interface DetachedSubscription {
  readonly name: string;
  readonly slot: string | null;
  readonly wasEnabled: boolean;
}

/**
 * Stops the subscriptions of the database that `client` is connected to and parts them from their slots on the publisher, so
 * that a database kept aside neither goes on replicating nor keeps itself from being dropped. The slots stay on the publisher.
 */
export async function detachSubscriptions(client: Client): Promise<DetachedSubscription[]> {
  const { rows } = await client.query<DetachedSubscription>(
    `SELECT subname AS name, subslotname AS slot, subenabled AS "wasEnabled"
       FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY subname`,
  );
  for (const { name, slot } of rows) {
    await client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(name)} DISABLE`);
    if (slot !== null) await client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(name)} SET (slot_name = NONE)`);
  }
  return rows;
}

/** Undoes {@link detachSubscriptions}. */
export async function attachSubscriptions(client: Client, detached: readonly DetachedSubscription[]): Promise<void> {
  for (const { name, slot, wasEnabled } of detached) {
    if (slot !== null)
      await client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(name)} SET (slot_name = ${quoteIdentifier(slot)})`);
    if (wasEnabled) await client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(name)} ENABLE`);
  }
}
