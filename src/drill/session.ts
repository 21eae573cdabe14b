import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import { NO_TIME_LIMITS, ROW_TEXT } from '../postgres/row-settings.ts';

/** A connected client of the driver. */
export type Client = Parameters<Parameters<typeof withClient>[1]>[0];

/** What every session of a comparison has set, so that two databases are looked at in the same way whatever is set in them. */
const SETTINGS = {
  ...ROW_TEXT,
  ...NO_TIME_LIMITS,
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
};

/** Runs `use` with a connection that has these settings. When `signal` aborts, the connection is closed and `use` fails. */
export async function withSession<T>(
  connection: ConnectionOptions,
  signal: AbortSignal,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const work = async (client: Client): Promise<T> => {
    try {
      // PostgreSQL 17 and later know it.
      await client.query(
        `SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('server_version_num')::int >= 170000`,
      );
      return await use(client);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  };
  return await withClient(connection, work, { applicationName: 'db-backup drill', sessionSettings: SETTINGS, signal });
}

/** Settings of a session of PostgreSQL's own programs, for PGOPTIONS: those of the above that the programs do not set themselves. */
export function programOptions(): string {
  return Object.entries(SETTINGS)
    .filter(([name]) => name !== 'client_encoding' && name !== 'search_path')
    .map(([name, value]) => `-c ${name}=${value.replace(/([\\ ])/g, '\\$1')}`)
    .join(' ');
}

/** Whether it is an error that the server gave to a statement: the session goes on. */
export function isStatementError(error: unknown): error is Error & { readonly code: string; readonly position?: string } {
  return error instanceof Error && (error as { severity?: string }).severity === 'ERROR';
}

/** The two databases of a comparison. */
export interface Databases {
  /** Into which the backup's own head and tail were loaded. */
  readonly emptyCopy: ConnectionOptions;
  readonly restored: ConnectionOptions;
  readonly signal: AbortSignal;
}

/** Asks both databases the same. */
export async function askBoth<T>(
  { emptyCopy, restored, signal }: Databases,
  ask: (client: Client) => Promise<T>,
): Promise<readonly [expected: T, found: T]> {
  return await Promise.all([withSession(emptyCopy, signal, ask), withSession(restored, signal, ask)]);
}

/**
 * The name of a relation `c` in schema `n`, as SQL that gives text. Names in a database without an encoding (SQL_ASCII) need not be
 * UTF-8: they are written with escapes.
 */
export const RELATION_NAME = `CASE WHEN getdatabaseencoding() = 'SQL_ASCII' THEN encode(convert_to(format('%I.%I', n.nspname, c.relname), 'SQL_ASCII'), 'escape')
                   ELSE format('%I.%I', n.nspname, c.relname) END`;
