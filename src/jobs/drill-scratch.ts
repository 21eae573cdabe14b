import { randomBytes } from 'node:crypto';
import type { DrillServer } from '../drill/preflight.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { connect, withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { dropDatabase } from '../restore/drop-database.ts';

/** `db_backup_drill_<12 hex>_…`: nobody else names a database so. */
const NAME = /^db_backup_drill_([0-9a-f]{12})_/;
/** What the session that stands for a living drill calls itself; every role sees that of every session. */
const SESSION = 'db-backup drill ';

export interface ScratchServer extends DrillServer {
  /** Databases of drills that were killed, removed at the start, and why others could not be. */
  readonly swept: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Takes a server that the user names for one drill: databases with names of its own, all dropped in the end. A session tells other
 * drills that this one lives, wherever they run; databases whose drill has no session are what a killed one left.
 */
export async function openScratchServer(connection: ConnectionOptions, signal: AbortSignal): Promise<ScratchServer> {
  const id = randomBytes(6).toString('hex');
  const prefix = `db_backup_drill_${id}_`;
  const keeper = await connect(connection, { applicationName: SESSION + id, signal }).catch((error: unknown) => {
    if (!(error instanceof BackupError) || error.code === 'ABORTED') throw error;
    const hint = 'Check DRILL_TARGET_HOST, DRILL_TARGET_USER, DRILL_TARGET_PASSWORD and what goes with them.';
    throw new BackupError(error.code, `the server of the drill (drill.target): ${error.message}`, { cause: error, hint });
  });
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    try {
      const { failures } = await dropAll(connection, (name) => name.startsWith(prefix));
      if (failures[0]) throw failures[0];
    } finally {
      await keeper.end().catch(() => undefined);
    }
  };
  try {
    const { dropped: swept, failures } = await dropAll(connection, async (name, isAlive) => {
      const [, owner] = NAME.exec(name) ?? [];
      return owner !== undefined && owner !== id && !(await isAlive(owner, name));
    });
    const warnings = failures.map(
      ({ message }) => `a database of an earlier drill is still on the server (drill.target): ${message}`,
    );
    return { connection, prefix, swept, warnings, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await keeper.end().catch(() => undefined);
    throw error;
  }
}

/** Whether the drill of this number lives, or somebody is at work in the database. */
type IsAlive = (id: string, database: string) => Promise<boolean>;

/** Drops the databases that are chosen by their names. One that cannot be dropped does not keep the others. */
async function dropAll(
  connection: ConnectionOptions,
  choose: (name: string, isAlive: IsAlive) => boolean | Promise<boolean>,
): Promise<{ readonly dropped: string[]; readonly failures: BackupError[] }> {
  return await withClient(connection, async (client) => {
    const isAlive: IsAlive = async (id, database) => {
      const { rows } = await client.query<{ alive: boolean }>(
        'SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = $1 OR datname = $2 AND usesysid IS NOT NULL) AS alive',
        [SESSION + id, database],
      );
      return rows[0]!.alive;
    };
    const { rows } = await client.query<{ name: string }>(
      `SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'db\\_backup\\_drill\\_%' ORDER BY 1`,
    );
    const dropped: string[] = [];
    const failures: BackupError[] = [];
    for (const { name } of rows) {
      try {
        if (!(await choose(name, isAlive))) continue;
        await dropDatabase(client, connection, name);
        dropped.push(name);
      } catch (error) {
        failures.push(toBackupError(error));
      }
    }
    return { dropped, failures };
  });
}
