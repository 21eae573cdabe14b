import type { Client } from 'pg';
import type { DatabaseProperties } from '../catalog/manifest.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { readDatabaseProperties, type FoundDatabase } from '../postgres/database-properties.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { applyPrivilegesAndLimits, applySettings, createDatabaseStatement } from './create-database.ts';
import { dropDatabase } from './drop-database.ts';
import { checkDatabaseName, keptName, restoringName } from './names.ts';
import type { PhaseRunner, RunContext } from './phases.ts';
import { nameDatabase, swapDatabases } from './swap-databases.ts';
import { readUserObjects } from './user-objects.ts';
import { withSession } from './session.ts';

export interface BesideOptions {
  /** Name of the database that the restore is to end as. */
  readonly database: string;
  /** Take the place of a database that holds something; it is kept under another name. */
  readonly replace?: boolean;
  /** Keep a half-filled database for inspection when the restore fails. */
  readonly keepOnFailure?: boolean;
}

/** The server and the name that a restore is for, as they were found. */
export interface RestoreTarget {
  /** To a database that is neither replaced nor filled. */
  readonly connection: ConnectionOptions;
  /** `server_version_num` */
  readonly serverVersion: number;
  /** The database that has the name now. */
  readonly existing?: FoundDatabase & { readonly empty: boolean };
}

export interface BesideResult<T> {
  readonly filled: T;
  /** Name under which a replaced database is kept. */
  readonly keptDatabase?: string;
  readonly warnings: readonly string[];
}

/**
 * Looks at the server and the database of the wanted name. Throws `RESTORE_REFUSED` for a name that cannot be, and for a database that
 * holds something unless it is to be replaced. Changes nothing.
 */
export async function inspectTarget(connection: ConnectionOptions, options: BesideOptions): Promise<RestoreTarget> {
  checkDatabaseName(options.database);
  const maintenance = { ...connection, database: maintenanceDatabase(connection.database, options.database) };
  return await withSession(maintenance, async (client) => {
    const { versionNumber: serverVersion, standby } = await readServerFacts(client);
    if (standby) {
      throw new BackupError('RESTORE_REFUSED', 'The server is a hot standby, which takes no writes. Nothing was changed.', {
        hint: 'Restore into its primary.',
      });
    }
    const existing = await readDatabaseProperties(client, serverVersion, options.database);
    if (!existing) return { connection: maintenance, serverVersion };
    const objects = await withSession({ ...connection, database: options.database }, readUserObjects);
    if (objects.length > 0 && !options.replace) {
      throw new BackupError(
        'RESTORE_REFUSED',
        `Database ${JSON.stringify(options.database)} is not empty: it holds ${objects.join(', ')} and perhaps more. Nothing was changed.`,
        {
          hint: 'Restore into a new name, or replace it with --replace: the present database is then kept under another name.',
        },
      );
    }
    return { connection: maintenance, serverVersion, existing: { ...existing, empty: objects.length === 0 } };
  });
}

/**
 * Makes a new database beside, lets `fill` load it, and only when all is done gives it the wanted name, in place of the one that has
 * it. So the name never stands for a half-restored database, whatever happens. When `fill` fails or is aborted, the new database is
 * dropped, or kept on request; the error says which.
 */
export async function restoreBeside<T>(
  target: RestoreTarget,
  options: BesideOptions,
  properties: DatabaseProperties | undefined,
  context: RunContext & { readonly phases: PhaseRunner },
  fill: (connection: ConnectionOptions) => Promise<T>,
): Promise<BesideResult<T>> {
  const { connection, existing } = target;
  const { phases } = context;
  const wanted = existing?.properties ?? properties;
  const names = await withSession(connection, readDatabaseNames);
  const restoring = restoringName(options.database, context.clock.now(), names);
  const warnings = await phases.run('create database', () =>
    withSession(connection, (client) => createEmpty(client, restoring, wanted, target.serverVersion)),
  );
  try {
    const filled = await fill({ ...connection, database: restoring });
    context.signal.throwIfAborted();
    const placed = await phases.run('name database', () =>
      withSession(connection, (client) => place(client, target, options, restoring, wanted, context)),
    );
    return { filled, ...placed, warnings: [...warnings, ...placed.warnings] };
  } catch (error) {
    throw await cleanUp(connection, restoring, options, error);
  }
}

async function createEmpty(
  client: Client,
  name: string,
  properties: DatabaseProperties | undefined,
  serverVersion: number,
): Promise<string[]> {
  if (!properties) {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0`);
    return [];
  }
  const statement = createDatabaseStatement(name, properties, serverVersion);
  await client.query(statement).catch((cause: unknown) => {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError(
      'RESTORE_PREFLIGHT',
      `The server cannot make a database like the one that was backed up: ${message}. Nothing was changed.`,
      {
        cause,
        hint: 'If it lacks the locale, install it there, or create an empty database with a locale of your choice and restore into that.',
      },
    );
  });
  return await applySettings(client, name, properties);
}

async function place(
  client: Client,
  { connection, existing }: RestoreTarget,
  { database }: BesideOptions,
  restored: string,
  properties: DatabaseProperties | undefined,
  context: RunContext,
): Promise<{ keptDatabase?: string; warnings: string[] }> {
  if (properties) await applyPrivilegesAndLimits(client, restored, properties);
  if (!existing) {
    await nameDatabase(client, restored, database);
    return { warnings: [] };
  }
  const kept = keptName(database, context.clock.now(), await readDatabaseNames(client));
  const warnings = await swapDatabases(client, connection, { restored, name: database, kept });
  if (!existing.empty) return { keptDatabase: kept, warnings };
  // It held nothing when we began. Somebody may have used it meanwhile: then it is kept like any other.
  const objects = await withSession({ ...connection, database: kept }, readUserObjects);
  if (objects.length > 0) return { keptDatabase: kept, warnings };
  await dropDatabase(client, connection, kept);
  return { warnings };
}

async function cleanUp(
  connection: ConnectionOptions,
  name: string,
  options: BesideOptions,
  error: unknown,
): Promise<BackupError> {
  const failure = toBackupError(error);
  const quoted = JSON.stringify(name);
  const untouched = `Database ${JSON.stringify(options.database)} was not touched.`;
  const end = await (options.keepOnFailure
    ? Promise.resolve(`The half-restored database was kept as ${quoted}. ${untouched}`)
    : withSession(connection, (client) => dropDatabase(client, connection, name)).then(
        () => `The half-restored database was dropped. ${untouched}`,
        (second: unknown) =>
          `The half-restored database ${quoted} is still there, because it could not be dropped (${toBackupError(second).message}). ${untouched}`,
      ));
  return new BackupError(
    failure.code === 'INTERNAL' ? 'RESTORE_FAILED' : failure.code,
    `${failure.message.replace(/\.?$/, '.')} ${end}`,
    {
      cause: error,
      retryable: failure.retryable,
      ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    },
  );
}

async function readDatabaseNames(client: Client): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>('SELECT datname AS name FROM pg_database');
  return new Set(rows.map(({ name }) => name));
}

/** A database cannot be renamed by those who are connected to it. */
function maintenanceDatabase(configured: string, restored: string): string {
  return [configured, 'postgres', 'template1'].find((name) => name !== restored)!;
}
