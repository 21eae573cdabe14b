import type { Client } from 'pg';
import type { Requirements } from '../catalog/manifest.ts';

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
