import type pg from 'pg';

import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';

/** How often the first connection asks again while the others hold theirs. */
const ASKS = 8;

/**
 * Refuses a connection pooler that gives a session another server process for every transaction: a snapshot, locks and
 * session settings live in one process, so a dump through it would not be consistent and would not notice.
 * A pooler that keeps one process per session passes. Throws SOURCE_POOLER.
 */
export async function refusePooler(options: ConnectionOptions): Promise<void> {
  await withClient(options, async (first) => {
    const process = await backendPid(first);
    // A server tells every client its own process when it lets it in; a pooler tells a number it made up.
    if (process === announcedPid(first)) return;
    // One holder and asking again shows a rotation among three or more processes; with two, the holder has the other one
    // in turn and the first keeps its own, until a second holder is given it.
    await holdTransaction(options, async (second) => {
      if (second === process || (await movesFrom(process, first))) throw pooled();
      await holdTransaction(options, async (third) => {
        if (third === process || (await movesFrom(process, first))) throw pooled();
      });
    });
  });
}

async function movesFrom(process: number, client: pg.Client): Promise<boolean> {
  for (let ask = 0; ask < ASKS; ask += 1) if ((await backendPid(client)) !== process) return true;
  return false;
}

/** Opens a transaction on a connection of its own and hands over the server process that it runs in. */
async function holdTransaction(options: ConnectionOptions, use: (process: number) => Promise<void>): Promise<void> {
  await withClient(options, async (client) => {
    await answered(client.query('BEGIN'), options);
    await use(await backendPid(client));
    await client.query('ROLLBACK');
  });
}

async function backendPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ process: number }>('SELECT pg_catalog.pg_backend_pid() AS process');
  const process = rows[0]?.process;
  if (process === undefined) throw new BackupError('SOURCE_FAILED', 'the server did not say which process serves us');
  return process;
}

/** The process number of the protocol's BackendKeyData message; the driver keeps it, its types do not know. */
function announcedPid(client: pg.Client): number | undefined {
  const { processID } = client as pg.Client & { processID?: number | null };
  return processID ?? undefined;
}

/** A pooler lets any number of clients in and then makes them wait for a server process. */
async function answered(query: Promise<unknown>, { connectTimeoutSeconds }: ConnectionOptions): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new BackupError(
          'SOURCE_POOLER',
          `a connection pooler let us in but gave no server connection within ${connectTimeoutSeconds} s`,
          { hint: 'Its pool is smaller than a backup needs. Connect to the PostgreSQL server directly, not through the pooler.' },
        ),
      );
    }, connectTimeoutSeconds * 1000);
  });
  try {
    await Promise.race([query, silence]);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    // In statement mode a pooler refuses transactions altogether.
    throw pooled(error);
  } finally {
    clearTimeout(timer);
  }
}

function pooled(cause?: unknown): BackupError {
  return new BackupError(
    'SOURCE_POOLER',
    'there is a connection pooler in transaction mode between us and the server: a session does not keep its server process',
    {
      ...(cause !== undefined && { cause }),
      hint: 'Point POSTGRES_HOST and POSTGRES_PORT at the PostgreSQL server itself (usually port 5432), or at a pool in session mode.',
    },
  );
}
