import type pg from 'pg';

import { BackupError } from '../errors.ts';

/** What a server says about itself. */
export interface ServerFacts {
  /** As the server writes it: `17.6 (Debian 17.6-1)`. */
  readonly version: string;
  /** `server_version_num`: 170006. */
  readonly versionNumber: number;
  readonly major: number;
  /** Whether it is in recovery, i.e. a hot standby. */
  readonly standby: boolean;
  /** Identifies the cluster through restarts and copies; absent when the role may not read it. */
  readonly systemIdentifier?: string;
}

/** The oldest PostgreSQL that is backed up. */
const OLDEST_MAJOR = 12;

/** Asks the server what it is; throws SOURCE_VERSION for one that is too old to be backed up. */
export async function readServerFacts(client: Pick<pg.Client, 'query'>): Promise<ServerFacts> {
  const { rows } = await client.query<{ version: string; number: string; standby: boolean; maySeeControl: boolean | null }>(
    `SELECT pg_catalog.current_setting('server_version') AS "version",
            pg_catalog.current_setting('server_version_num') AS "number",
            pg_catalog.pg_is_in_recovery() AS "standby",
            pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.pg_control_system()'), 'EXECUTE')
              AS "maySeeControl"`,
  );
  const row = rows[0];
  if (row === undefined) throw new BackupError('SOURCE_FAILED', 'the server did not say which version it is');

  const versionNumber = Number(row.number);
  const major = Math.floor(versionNumber / 10_000);
  if (major < OLDEST_MAJOR) {
    throw new BackupError(
      'SOURCE_VERSION',
      `the server is PostgreSQL ${row.version}; versions before ${OLDEST_MAJOR} are not backed up`,
      { hint: `Upgrade the server to PostgreSQL ${OLDEST_MAJOR} or later. Until then, use the pg_dump of its own version.` },
    );
  }
  const systemIdentifier = row.maySeeControl === true ? await readSystemIdentifier(client) : undefined;
  return {
    version: row.version,
    versionNumber,
    major,
    standby: row.standby,
    ...(systemIdentifier !== undefined && { systemIdentifier }),
  };
}

/** A query of its own: its mere presence in another one fails for a role that may not call the function. */
async function readSystemIdentifier(client: Pick<pg.Client, 'query'>): Promise<string | undefined> {
  const { rows } = await client.query<{ identifier: string }>(
    'SELECT system_identifier::text AS identifier FROM pg_catalog.pg_control_system()',
  );
  return rows[0]?.identifier;
}
