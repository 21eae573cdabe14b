import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { ConnectionOptions as TlsSocketOptions } from 'node:tls';

import pg from 'pg';

import { BackupError } from '../errors.ts';
import { connectFailure, isTlsRefusal } from './connect-failure.ts';

export interface TlsOptions {
  /** As libpq's `sslmode`. `prefer` falls back to an unencrypted connection when the server offers no TLS. */
  readonly mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** Paths of PEM files. `ca` is needed by the `verify-` modes. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Where a database is and how to log in; everything that the driver and PostgreSQL's own programs need. */
export interface ConnectionOptions {
  /** A host name, an address, or the folder of a Unix socket (begins with `/`). */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  readonly tls: TlsOptions;
  readonly connectTimeoutSeconds: number;
}

export interface ConnectSettings {
  /** What `pg_stat_activity` shows; `db-backup` by default. */
  readonly applicationName?: string;
  /** Session settings (`search_path`, `TimeZone`, …), applied before the client is handed out. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
  /** Speaks the replication protocol instead of SQL; the role needs REPLICATION, and no database is entered. */
  readonly replication?: boolean;
  /** The socket to connect, when it is not to be one of the driver's own. Not used with TLS, which the driver builds on its own. */
  readonly socket?: () => Socket;
  /**
   * Gives up connecting; has no say once `connect` has handed the client out. `withClient` ends its use as well: a network that carries nothing
   * any more tells nobody, and a query would never end.
   */
  readonly signal?: AbortSignal;
}

/** The driver takes it, its types do not know it. */
const REPLICATION: object = { replication: 'true' };
/** Seconds of silence before the kernel probes whether the other end still exists. */
const KEEPALIVE_SECONDS = 10;

/**
 * Opens one connection. The caller ends it.
 * Throws SOURCE_UNREACHABLE, SOURCE_AUTHENTICATION, SOURCE_DATABASE_MISSING or SOURCE_PRIVILEGE, each with a hint.
 */
export async function connect(options: ConnectionOptions, settings: ConnectSettings = {}): Promise<pg.Client> {
  const ssl = await tlsSocketOptions(options);
  let client: pg.Client;
  try {
    client = await open(options, settings, ssl);
  } catch (error) {
    if (ssl === false || options.tls.mode !== 'prefer' || !isTlsRefusal(error)) throw connectFailure(error, options);
    client = await open(options, settings, false).catch((second: unknown) => {
      throw connectFailure(second, options);
    });
  }
  try {
    await applySettings(client, settings.sessionSettings ?? {});
    return client;
  } catch (cause) {
    client.connection.stream.destroy();
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new BackupError('SOURCE_FAILED', `cannot prepare the session on the server: ${message}`, { cause });
  }
}

/** Runs `use` with a connection of its own and ends it afterwards, whatever happens. When the signal aborts, it is closed and `use` fails. */
export async function withClient<T>(
  options: ConnectionOptions,
  use: (client: pg.Client) => Promise<T>,
  settings: ConnectSettings = {},
): Promise<T> {
  const client = await connect(options, settings);
  const { signal } = settings;
  const giveUp = (): void => void client.connection.stream.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  try {
    return await use(client);
  } finally {
    signal?.removeEventListener('abort', giveUp);
    // A connection that is already gone is as good as an ended one.
    await client.end().catch(() => undefined);
  }
}

/**
 * The connection as environment variables for PostgreSQL's own programs. Never put these on a command line: process
 * lists are public, environments are not.
 */
export function libpqEnvironment(options: ConnectionOptions): Record<string, string> {
  const { tls } = options;
  return {
    PGHOST: options.host,
    PGPORT: String(options.port),
    PGDATABASE: options.database,
    PGUSER: options.user,
    // A password that is not configured must not come from a file of the account that we happen to run as.
    PGPASSFILE: '/nonexistent/pgpass',
    ...(options.password !== undefined && { PGPASSWORD: options.password }),
    PGSSLMODE: tls.mode,
    ...(tls.ca !== undefined && tls.mode !== 'prefer' && { PGSSLROOTCERT: tls.ca }),
    ...(tls.cert !== undefined && { PGSSLCERT: tls.cert }),
    ...(tls.key !== undefined && { PGSSLKEY: tls.key }),
    PGCONNECT_TIMEOUT: String(Math.max(2, Math.ceil(options.connectTimeoutSeconds))),
    PGAPPNAME: 'db-backup',
  };
}

/** An identifier as SQL text, whatever characters it has. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string as an SQL literal, safe whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? ` E${quoted}` : quoted;
}

async function open(options: ConnectionOptions, settings: ConnectSettings, ssl: TlsSocketOptions | false): Promise<pg.Client> {
  const client = new pg.Client({
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.user,
    // As a function, so that the driver does not look for one in the environment or in a file when there is none.
    password: () => options.password ?? '',
    ssl,
    application_name: settings.applicationName ?? 'db-backup',
    connectionTimeoutMillis: options.connectTimeoutSeconds * 1000,
    ...(settings.replication === true && REPLICATION),
    ...(ssl === false && settings.socket && { stream: settings.socket }),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_SECONDS * 1000,
  });
  // A lost connection fails the next query, which reports it; without a listener it would end the process instead.
  client.on('error', () => undefined);
  const { signal } = settings;
  const giveUp = (): void => void client.connection.stream.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    signal?.throwIfAborted();
    await client.connect();
    return client;
  } catch (error) {
    client.connection.stream.destroy();
    if (signal?.aborted !== true) throw error;
    throw new BackupError('ABORTED', 'connecting to PostgreSQL was aborted', { cause: signal.reason });
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
}

/** By queries and not by the `options` start-up parameter, which poolers refuse. */
async function applySettings(client: pg.Client, settings: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(settings);
  if (names.length === 0) return;
  await client.query(
    `SELECT pg_catalog.set_config(name, value, false)
       FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS setting(name, value)`,
    [names, names.map((name) => settings[name])],
  );
}

/** What Node's TLS needs for a libpq mode; `false` where there is nothing to encrypt. */
async function tlsSocketOptions({ host, tls }: ConnectionOptions): Promise<TlsSocketOptions | false> {
  if (tls.mode === 'disable' || host.startsWith('/')) return false;
  const verifies = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  return {
    ...(tls.ca !== undefined && tls.mode !== 'prefer' && { ca: await readPem('root certificate', tls.ca) }),
    ...(tls.cert !== undefined && { cert: await readPem('client certificate', tls.cert) }),
    ...(tls.key !== undefined && { key: await readPem('client key', tls.key) }),
    // libpq: `require` with a root certificate at hand verifies it as `verify-ca` does.
    rejectUnauthorized: verifies || (tls.mode === 'require' && tls.ca !== undefined),
    ...(tls.mode !== 'verify-full' && { checkServerIdentity: () => undefined }),
  };
}

async function readPem(what: string, path: string): Promise<Buffer> {
  return await readFile(path).catch((cause: unknown) => {
    throw new BackupError('CONFIG_INVALID', `cannot read the ${what} for the connection to PostgreSQL: ${path}`, {
      cause,
      hint: 'Check the path and that the account of the backup may read the file.',
    });
  });
}
