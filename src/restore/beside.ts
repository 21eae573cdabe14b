import type { Client } from 'pg';
import type { DatabaseProperties } from '../catalog/manifest.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { createDatabaseStatement } from '../postgres/create-database.ts';
import { readDatabaseProperties, type FoundDatabase } from '../postgres/database-properties.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { applyPrivilegesAndLimits, applySettings } from './create-database.ts';
import { dropDatabase } from './drop-database.ts';
import { checkDatabaseName, keptName, restoringName } from './names.ts';
import type { PhaseRunner, RunContext } from './phases.ts';
import { LeftClosedError, nameDatabase, swapDatabases } from './swap-databases.ts';
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
    await checkOpen(client, options.database);
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
    await checkPrepared(client, options.database);
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
    throw await cleanUp(connection, restoring, options, context.signal, error);
  }
}

/** A restore that was killed while it changed names leaves the old database so. */
async function checkOpen(client: Client, name: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1 AND NOT datallowconn', [name]);
  if (rowCount === 0) return;
  throw new BackupError(
    'RESTORE_REFUSED',
    `Database ${JSON.stringify(name)} takes no connections, as after a restore that was killed. Nothing was changed.`,
    { hint: `If nobody closed it on purpose, run: ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS true;` },
  );
}

/** A database with prepared transactions cannot be renamed. */
async function checkPrepared(client: Client, name: string): Promise<void> {
  const { rows } = await client.query<{ gid: string }>('SELECT gid FROM pg_prepared_xacts WHERE database = $1', [name]);
  if (rows.length === 0) return;
  throw new BackupError(
    'RESTORE_REFUSED',
    `Database ${JSON.stringify(name)} has prepared transactions and so cannot be replaced: ${rows.map(({ gid }) => gid).join(', ')}. Nothing was changed.`,
    { hint: 'Connected to it, end each with COMMIT PREPARED or ROLLBACK PREPARED, then try again.' },
  );
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
        hint: isAboutLocale(cause, message)
          ? 'If it lacks the locale, install it there, or create an empty database with a locale of your choice and restore into that.'
          : 'Remove the cause that the server names, then try again.',
      },
    );
  });
  return await applySettings(client, name, properties);
}

/** SQLSTATEs of CREATE DATABASE: wrong_object_type for a locale name, invalid_parameter_value for an encoding that does not go with it. */
function isAboutLocale(error: unknown, message: string): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return code === '42809' || code === '22023' || /locale|encoding|collation/i.test(message);
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
    await nameDatabase(client, connection, restored, database);
    return { warnings: [] };
  }
  const kept = keptName(database, context.clock.now(), await readDatabaseNames(client));
  const warnings = await swapDatabases(client, connection, { restored, name: database, kept });
  if (!existing.empty) return { keptDatabase: kept, warnings };
  try {
    return await withSession(connection, async (fresh) => {
      // It held nothing when we began. Somebody may have used it meanwhile: then it is kept like any other.
      const objects = await withSession({ ...connection, database: kept }, readUserObjects);
      if (objects.length > 0) return { keptDatabase: kept, warnings };
      await dropDatabase(fresh, connection, kept);
      return { warnings };
    });
  } catch (error) {
    // The restore is done, whatever happens now.
    const message = error instanceof Error ? error.message : String(error);
    warnings.push(`The empty database that had the name before is still there as ${JSON.stringify(kept)}: ${message}.`);
    return { keptDatabase: kept, warnings };
  }
}

async function cleanUp(
  connection: ConnectionOptions,
  name: string,
  options: BesideOptions,
  signal: AbortSignal,
  error: unknown,
): Promise<BackupError> {
  const failure = toBackupError(error);
  const quoted = JSON.stringify(name);
  const untouched = error instanceof LeftClosedError ? '' : ` Database ${JSON.stringify(options.database)} was not touched.`;
  const end = await (options.keepOnFailure
    ? Promise.resolve(`The half-restored database was kept as ${quoted}.${untouched}`)
    : withSession(connection, (client) => dropDatabase(client, connection, name)).then(
        () => `The half-restored database was dropped.${untouched}`,
        (second: unknown) =>
          `The half-restored database ${quoted} is still there, because it could not be dropped (${toBackupError(second).message}).${untouched}`,
      ));
  return new BackupError(
    // What an abort breaks on its way may come out as any failure.
    signal.aborted ? 'ABORTED' : failure.code === 'INTERNAL' ? 'RESTORE_FAILED' : failure.code,
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
