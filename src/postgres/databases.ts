import { BackupError } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';

export interface Databases {
  /** Those that can be connected to, without templates, in order. */
  readonly open: readonly string[];
  /** All there are. */
  readonly all: readonly string[];
}

/** Databases through which every server can be asked, the first that exists. */
const MAINTENANCE = ['postgres', 'template1'] as const;

/** The databases of a server, now. */
export async function listDatabases(connection: ConnectionOptions, signal?: AbortSignal): Promise<Databases> {
  let missing: BackupError | undefined;
  for (const database of MAINTENANCE) {
    try {
      return await withClient(
        { ...connection, database },
        async (client) => {
          const { rows } = await client.query<{ name: string; open: boolean }>(
            `SELECT datname AS name, datallowconn AND NOT datistemplate AS open FROM pg_catalog.pg_database ORDER BY datname`,
          );
          return { open: rows.filter(({ open }) => open).map(({ name }) => name), all: rows.map(({ name }) => name) };
        },
        signal ? { signal } : {},
      );
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== 'SOURCE_DATABASE_MISSING') throw error;
      missing ??= error;
    }
  }
  throw missing!;
}
