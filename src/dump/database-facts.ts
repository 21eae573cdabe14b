import type { Client } from 'pg';
import type { DatabaseProperties, Requirements } from '../catalog/manifest.ts';

/** What `CREATE DATABASE` needs for an equal database; columns that older servers lack are left out. */
export async function readDatabase(client: Client, serverVersion: number): Promise<DatabaseProperties> {
  const locale =
    serverVersion >= 170000
      ? `datlocprovider AS provider, datlocale AS locale, daticurules AS rules, datcollversion AS version`
      : serverVersion >= 160000
        ? `datlocprovider AS provider, daticulocale AS locale, daticurules AS rules, datcollversion AS version`
        : serverVersion >= 150000
          ? `datlocprovider AS provider, daticulocale AS locale, NULL AS rules, datcollversion AS version`
          : `'c' AS provider, NULL AS locale, NULL AS rules, NULL AS version`;
  const { rows } = await client.query<Record<string, never>>(`
    SELECT d.oid, datname AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype, ${locale},
           pg_get_userbyid(datdba) AS owner, t.spcname AS tablespace, datconnlimit AS "connectionLimit", datistemplate AS "isTemplate",
           datacl::text[] AS acl, shobj_description(d.oid, 'pg_database') AS comment,
           (SELECT json_agg(json_build_object('role', r.rolname, 'setting', c) ORDER BY r.rolname NULLS FIRST)
              FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
             WHERE s.setdatabase = d.oid) AS settings
      FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = current_database()`);
  const row = rows[0] as unknown as {
    name: string;
    encoding: string;
    collate: string;
    ctype: string;
    provider: string;
    locale: string | null;
    rules: string | null;
    version: string | null;
    owner: string;
    tablespace: string;
    connectionLimit: number;
    isTemplate: boolean;
    acl: string[] | null;
    comment: string | null;
    settings: { role: string | null; setting: string }[] | null;
  };
  return {
    name: row.name,
    encoding: row.encoding,
    localeProvider: row.provider === 'i' ? 'icu' : row.provider === 'b' ? 'builtin' : 'libc',
    collate: row.collate,
    ctype: row.ctype,
    ...(row.locale === null ? {} : { locale: row.locale }),
    ...(row.rules === null ? {} : { icuRules: row.rules }),
    ...(row.version === null ? {} : { collationVersion: row.version }),
    owner: row.owner,
    tablespace: row.tablespace,
    connectionLimit: row.connectionLimit,
    isTemplate: row.isTemplate,
    ...(row.acl === null ? {} : { acl: row.acl }),
    settings: (row.settings ?? []).map(({ role, setting }) => {
      const at = setting.indexOf('=');
      return { ...(role === null ? {} : { role }), name: setting.slice(0, at), value: setting.slice(at + 1) };
    }),
    ...(row.comment === null ? {} : { comment: row.comment }),
  };
}

/** Roles, tablespaces and extensions that the database's objects refer to. */
export async function readRequirements(client: Client): Promise<Requirements> {
  // The bootstrap superuser (oid 10) owns things without an entry in pg_shdepend: its entries would be everywhere.
  const roles = await client.query<{ name: string }>(`
    SELECT rolname AS name FROM pg_roles r
     WHERE rolname !~ '^pg_' AND (r.oid = 10 OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
        OR EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
                     AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())))
     ORDER BY 1`);
  const tablespaces = await client.query<{ name: string }>(`
    SELECT DISTINCT spcname AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
     WHERE c.reltablespace <> 0 AND NOT c.relisshared ORDER BY 1`);
  const extensions = await client.query<Requirements['extensions'][number]>(`
    SELECT extname AS name, extversion AS version, n.nspname AS schema
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1`);
  return {
    roles: roles.rows.map(({ name }) => name),
    tablespaces: tablespaces.rows.map(({ name }) => name),
    extensions: extensions.rows,
  };
}

/** Large objects: how many, and how many of them this role may not read. */
export async function readLargeObjects(client: Client): Promise<{ count: number; unreadable: number }> {
  const { rows } = await client.query<{ count: number; unreadable: number }>(`
    WITH me AS (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user)
    SELECT count(*)::int AS count,
           count(*) FILTER (WHERE NOT (SELECT rolsuper FROM me) AND NOT pg_has_role(current_user, lomowner, 'USAGE')
             AND NOT EXISTS (SELECT FROM aclexplode(lomacl) a WHERE a.privilege_type = 'SELECT'
                             AND (a.grantee = 0 OR pg_has_role(current_user, a.grantee, 'USAGE'))))::int AS unreadable
      FROM pg_largeobject_metadata`);
  return rows[0]!;
}

/** User mappings whose options (passwords of foreign servers) this role does not see; `pg_dump` writes them without, silently. */
export async function readHiddenMappings(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('user mapping for %s on server %s', usename, srvname) AS name FROM pg_user_mappings
      WHERE umoptions IS NULL AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY 1`,
  );
  return rows.map(({ name }) => name);
}
