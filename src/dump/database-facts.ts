import type { Client } from 'pg';
import type { Requirements } from '../catalog/manifest.ts';

/** What is owned and granted, beside classes of objects that only a superuser makes. */
const OWNED = [
  ['pg_class', 'relowner', 'relacl'],
  ['pg_proc', 'proowner', 'proacl'],
  ['pg_type', 'typowner', 'typacl'],
  ['pg_namespace', 'nspowner', 'nspacl'],
  ['pg_language', 'lanowner', 'lanacl'],
  ['pg_foreign_data_wrapper', 'fdwowner', 'fdwacl'],
  ['pg_foreign_server', 'srvowner', 'srvacl'],
  ['pg_largeobject_metadata', 'lomowner', 'lomacl'],
  ['pg_operator', 'oprowner'],
  ['pg_opclass', 'opcowner'],
  ['pg_opfamily', 'opfowner'],
  ['pg_collation', 'collowner'],
  ['pg_conversion', 'conowner'],
  ['pg_statistic_ext', 'stxowner'],
  ['pg_ts_config', 'cfgowner'],
  ['pg_ts_dict', 'dictowner'],
  ['pg_event_trigger', 'evtowner'],
  ['pg_publication', 'pubowner'],
] as const;

const LISTED: Readonly<Record<string, string>> = {
  pg_class: ` AND o.relkind NOT IN ('t', 'i', 'I')`,
  pg_type: ` AND o.typrelid = 0 AND o.typcategory <> 'A' AND o.typtype <> 'm'`,
};

// The bootstrap superuser (oid 10) has no entries in pg_shdepend: those would be everywhere. What initdb has made (oids below
// 16384) and members of extensions are not in a dump; indexes, TOAST tables, the types of rows and of arrays go with others.
const BOOTSTRAP_IS_NAMED = `(${[
  ...OWNED.map(
    ([catalog, owner, acl]) => `EXISTS (
      SELECT FROM ${catalog} o
       WHERE (o.oid >= 16384 AND o.${owner} = 10${LISTED[catalog] ?? ''}
              ${acl ? `OR EXISTS (SELECT FROM aclexplode(o.${acl}) a WHERE a.grantee = 10 AND o.${owner} <> 10 OR o.oid >= 16384 AND a.grantor = 10)` : ''})
         AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e'))`,
  ),
  'EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = 10 OR EXISTS (SELECT FROM aclexplode(defaclacl) a WHERE 10 IN (a.grantee, a.grantor)))',
  'EXISTS (SELECT FROM pg_policy WHERE 10 = ANY (polroles))',
  'EXISTS (SELECT FROM pg_user_mappings WHERE umuser = 10)',
  'EXISTS (SELECT FROM pg_subscription WHERE subowner = 10 AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database()))',
].join(' OR ')})`;

/** Roles, tablespaces and extensions that the database's objects refer to. */
export async function readRequirements(client: Client): Promise<Requirements> {
  const roles = await client.query<{ name: string }>(`
    SELECT rolname AS name FROM pg_roles r
     WHERE rolname !~ '^pg_' AND ((r.oid = 10 AND ${BOOTSTRAP_IS_NAMED}) OR r.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
        OR EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
                     AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())))
     ORDER BY 1`);
  const tablespaces = await client.query<{ name: string }>(`
    SELECT DISTINCT spcname AS name FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
     WHERE c.reltablespace <> 0 AND NOT c.relisshared ORDER BY 1`);
  const extensions = await client.query<Requirements['extensions'][number]>(`
    SELECT extname AS name, extversion AS version, n.nspname AS schema
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1`);
  // What initdb made of the machine's locales is not pinned: whatever uses it has an entry.
  const collations = await client.query<NonNullable<Requirements['collations']>[number]>(`
    SELECT n.nspname::text AS schema, collname::text AS name, collcollate::text AS collate, collctype::text AS ctype
      FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
     WHERE collprovider = 'c' AND collcollate NOT IN ('C', 'POSIX')
       AND (c.oid >= 16384 OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_collation'::regclass AND d.refobjid = c.oid))
     ORDER BY 1, 2, 3`);
  return {
    roles: roles.rows.map(({ name }) => name),
    tablespaces: tablespaces.rows.map(({ name }) => name),
    extensions: extensions.rows,
    collations: collations.rows,
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
