import type { Client } from 'pg';
import type { DatabaseProperties } from '../catalog/manifest.ts';
import { quoteIdentifier, quoteLiteral } from '../postgres/connection.ts';

/**
 * Gives a new database the settings (`ALTER DATABASE … SET`) of `properties`. What the server does not take (a setting of an
 * extension that is no longer there, a parameter that its version does not know) is returned as a warning each: it must not keep
 * anybody from their data.
 */
export async function applySettings(client: Client, name: string, properties: DatabaseProperties): Promise<string[]> {
  const database = quoteIdentifier(name);
  const warnings: string[] = [];
  for (const { role, name: setting, value } of properties.settings) {
    const whose =
      role === undefined ? `ALTER DATABASE ${database}` : `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE ${database}`;
    const statement = `${whose} SET ${settingName(setting)} TO ${settingValue(setting, value)}`;
    await client
      .query(statement)
      .catch((error: unknown) => warnings.push(`${statement}: ${error instanceof Error ? error.message : String(error)}`));
  }
  return warnings;
}

/** Gives a filled database the privileges, comment and limits of `properties`: last, because they may shut out whoever fills it. */
export async function applyPrivilegesAndLimits(client: Client, name: string, properties: DatabaseProperties): Promise<void> {
  const database = quoteIdentifier(name);
  if (properties.acl) await applyPrivileges(client, name, properties.owner, properties.acl);
  if (properties.comment !== undefined)
    await client.query(`COMMENT ON DATABASE ${database} IS ${quoteLiteral(properties.comment)}`);
  if (properties.connectionLimit !== -1)
    await client.query(`ALTER DATABASE ${database} CONNECTION LIMIT ${properties.connectionLimit}`);
  if (properties.isTemplate) await client.query(`ALTER DATABASE ${database} IS_TEMPLATE true`);
}

/** The privileges become exactly those of the list; `aclitem`s are taken apart by the server. */
async function applyPrivileges(client: Client, name: string, owner: string, acl: readonly string[]): Promise<void> {
  const database = quoteIdentifier(name);
  const { rows } = await client.query<{ grantee: string | null; privilege: string; grantable: boolean }>(
    `SELECT CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END AS grantee, privilege_type AS privilege, is_grantable AS grantable
       FROM aclexplode($1::text[]::aclitem[])`,
    [acl],
  );
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC, ${quoteIdentifier(owner)}`);
  for (const { grantee, privilege, grantable } of rows) {
    const to = grantee === null ? 'PUBLIC' : quoteIdentifier(grantee);
    await client.query(`GRANT ${privilege} ON DATABASE ${database} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`);
  }
}

/** Parameters whose value is a list of quoted names (GUC_LIST_QUOTE); pg_dump knows them by name as well. */
const NAME_LISTS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** Parameters of extensions have two parts, `pg_trgm.word_similarity_threshold`. */
function settingName(name: string): string {
  return name.split('.').map(quoteIdentifier).join('.');
}

function settingValue(name: string, value: string): string {
  if (!NAME_LISTS.has(name.toLowerCase())) return quoteLiteral(value);
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|[^\s,"]+/g)].map(
    ([whole, quoted]) => quoted?.replaceAll('""', '"') ?? whole,
  );
  return names.length === 0 ? "''" : names.map(quoteLiteral).join(', ');
}
