import { statfs } from 'node:fs/promises';
import type { Client } from 'pg';
import type { DatabaseProperties, Manifest } from '../catalog/manifest.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import type { ExtensionChoice } from './extension-choice.ts';

export interface ServerCheck {
  readonly manifest: Manifest;
  /** What the new database is to be made with. */
  readonly properties: DatabaseProperties;
  readonly connection: ConnectionOptions;
  readonly serverVersion: number;
  readonly programs: ClientPrograms;
  /** Where the `.toc` is fetched to. */
  readonly temporaryFolder: string;
  readonly extensions: ExtensionChoice;
}

export interface ServerFindings {
  /** What keeps the restore from succeeding; a sentence each. */
  readonly problems: string[];
  /** What a person should know although the restore can go on. */
  readonly warnings: string[];
}

/** Everything that can be known beforehand of whether this server can take this backup. Changes nothing. */
export async function checkServer(client: Client, check: ServerCheck): Promise<ServerFindings> {
  const findings: ServerFindings = { problems: [], warnings: [] };
  checkVersions(check, findings);
  await checkRights(client, findings);
  await checkRoles(client, check, findings);
  await checkTablespaces(client, check, findings);
  await checkExtensions(client, check, findings);
  await checkSpace(client, check, findings);
  // Not known for certain (the catalog may lag behind the machine), so it is mentioned only beside others; alone, CREATE DATABASE says it.
  if (findings.problems.length > 0) await checkLocale(client, check, findings);
  return findings;
}

function checkVersions({ manifest, serverVersion, programs }: ServerCheck, { problems, warnings }: ServerFindings): void {
  const dumped = major(manifest.server.versionNum);
  const server = major(serverVersion);
  if (server < dumped)
    problems.push(
      `The server is PostgreSQL ${server}, the backup is of ${dumped}: restoring into an older version is not supported.`,
    );
  const dumper = Number.parseInt(manifest.programs.pgDump, 10);
  if (programs.major < dumper) {
    problems.push(
      `The backup was made with pg_dump ${dumper}, the client programs here are ${programs.major}: install postgresql-client-${dumper}.`,
    );
  }
  if (server > dumped) warnings.push(`The backup is of PostgreSQL ${dumped}, the server is ${server}.`);
}

async function checkRights(client: Client, { problems }: ServerFindings): Promise<void> {
  const { rows } = await client.query<{ user: string; able: boolean }>(
    'SELECT rolname AS "user", rolsuper OR rolcreatedb AS able FROM pg_roles WHERE rolname = current_user',
  );
  if (rows[0]?.able === false) problems.push(`Role ${rows[0].user} may not create databases: ALTER ROLE … CREATEDB.`);
}

async function checkRoles(client: Client, { manifest, properties }: ServerCheck, { problems }: ServerFindings): Promise<void> {
  const settings = properties.settings.flatMap(({ role }) => role ?? []);
  const granted = (properties.acl ?? []).map(granteeOf).filter((role) => role !== '');
  const wanted = [...new Set([...manifest.requires.roles, properties.owner, ...settings, ...granted])];
  const missing = await missingFrom(client, 'SELECT rolname FROM pg_roles', wanted);
  if (missing.length === 0) return;
  const globals = manifest.side.globals ? ` The backup has them: gunzip -c ${manifest.side.globals.name} | psql.` : '';
  problems.push(`Roles that own objects or have privileges are missing: ${missing.join(', ')}.${globals}`);
}

async function checkTablespaces(
  client: Client,
  { manifest, properties }: ServerCheck,
  { problems }: ServerFindings,
): Promise<void> {
  const missing = await missingFrom(client, 'SELECT spcname FROM pg_tablespace', [
    ...new Set([...manifest.requires.tablespaces, properties.tablespace]),
  ]);
  if (missing.length > 0)
    problems.push(`Tablespaces are missing: ${missing.join(', ')}. Create them, in any folder of the server.`);
}

async function checkExtensions(
  client: Client,
  { manifest, extensions }: ServerCheck,
  { problems, warnings }: ServerFindings,
): Promise<void> {
  const { leftOut, versions, otherVersion } = extensions;
  const wanted = manifest.requires.extensions.filter(
    ({ name, version }) => !leftOut.includes(name) && versions[name] !== version,
  );
  const names = wanted.map(({ name }) => name);
  const { rows } = await client.query<{ name: string; standard: string | null; versions: string[] }>(
    `SELECT e.name::text, default_version AS standard, array_agg(v.version) AS versions FROM pg_available_extensions e
       JOIN pg_available_extension_versions v ON v.name = e.name WHERE e.name = ANY ($1::text[]) GROUP BY 1, 2`,
    [names],
  );
  for (const { name, version } of wanted) {
    const available = rows.find((row) => row.name === name);
    if (!available) problems.push(`Extension ${name} ${version} is not installed on the server.`);
    else if (available.standard !== version) {
      // The dump says CREATE EXTENSION without a version: the server takes its default one.
      const standard = available.standard ?? '(none)';
      if (isOlder(standard, version) && !otherVersion.includes(name))
        problems.push(`Extension ${name} is there in version ${standard} only, the backup has ${version}.`);
      else warnings.push(`Extension ${name} becomes ${standard}; it was ${version}.`);
    }
  }
}

async function checkSpace(client: Client, check: ServerCheck, { problems, warnings }: ServerFindings): Promise<void> {
  const { manifest, connection, temporaryFolder } = check;
  const temporary = await freeBytes(temporaryFolder);
  const toc = manifest.side.toc?.bytes ?? 0;
  if (temporary !== undefined && temporary < toc)
    problems.push(`${temporaryFolder} has ${megabytes(temporary)} free, ${megabytes(toc)} are needed for a temporary file.`);
  if (!isLocal(connection.host)) return;
  const { rows } = await client.query<{ folder: string | null }>(
    `SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('data_directory') END AS folder`,
  );
  const free = rows[0]?.folder ? await freeBytes(rows[0].folder) : undefined;
  if (free === undefined || free >= manifest.file.rawBytes) return;
  // An estimate: bytea and what TOAST compresses take less on disk than as text, while indexes and WAL come on top.
  const finding = `The server's data directory ${rows[0]!.folder!} has ${megabytes(free)} free; the backup holds ${megabytes(manifest.file.rawBytes)} of rows as text.`;
  if (free < manifest.file.rawBytes / 3) problems.push(finding);
  else warnings.push(`${finding} It may not be enough.`);
}

async function checkLocale(client: Client, { properties }: ServerCheck, { problems }: ServerFindings): Promise<void> {
  if (properties.localeProvider !== 'libc') return;
  const { rows } = await client.query<{ name: string }>(
    `SELECT collcollate AS name FROM pg_collation WHERE collcollate IS NOT NULL UNION SELECT datcollate FROM pg_database UNION SELECT datctype FROM pg_database`,
  );
  const known = new Set(['c', 'posix', ...rows.map(({ name }) => localeKey(name))]);
  const missing = [...new Set([properties.collate, properties.ctype])].filter((name) => !known.has(localeKey(name)));
  if (missing.length > 0) problems.push(`The server may lack the locale ${missing.join(', ')}.`);
}

async function missingFrom(client: Client, query: string, wanted: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<[string]>({ text: query, rowMode: 'array' });
  const present = new Set(rows.map(([name]) => name));
  return wanted.filter((name) => !present.has(name));
}

/** The role in `role=privileges/grantor`; '' is PUBLIC. */
function granteeOf(aclItem: string): string {
  const quoted = /^"((?:[^"]|"")*)"=/.exec(aclItem)?.[1];
  return quoted?.replaceAll('""', '"') ?? aclItem.slice(0, Math.max(0, aclItem.indexOf('=')));
}

/** `en_US.UTF-8` and `en_US.utf8` are the same locale. */
function localeKey(name: string): string {
  return name.toLowerCase().replaceAll('-', '');
}

/** Whether version `a` comes before `b`, number by number; versions that are not numbers are never older. */
function isOlder(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let at = 0; at < Math.max(left!.length, right!.length); at += 1) {
    const difference = (left![at] ?? 0) - (right![at] ?? 0);
    if (Number.isNaN(difference)) return false;
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function major(versionNumber: number): number {
  return Math.floor(versionNumber / 10_000);
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '127.0.0.1' || host === '::1';
}

/** Bytes free for us in a folder; `undefined` where that cannot be told. */
async function freeBytes(folder: string): Promise<number | undefined> {
  return await statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
