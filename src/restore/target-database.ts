import type { Client } from 'pg';
import type { DatabaseProperties } from '../catalog/manifest.ts';

/** What the maintenance connection can see of a database of the target server. */
export interface ExistingDatabase {
  readonly oid: number;
  readonly properties: DatabaseProperties;
}

/** The database of this name, or `undefined`. The client may be connected to any database of the server. */
export async function readExistingDatabase(
  client: Client,
  name: string,
  serverVersion: number,
): Promise<ExistingDatabase | undefined> {
  const locale =
    serverVersion >= 170000
      ? `datlocprovider AS provider, datlocale AS locale, daticurules AS rules`
      : serverVersion >= 160000
        ? `datlocprovider AS provider, daticulocale AS locale, daticurules AS rules`
        : serverVersion >= 150000
          ? `datlocprovider AS provider, daticulocale AS locale, NULL AS rules`
          : `'c' AS provider, NULL AS locale, NULL AS rules`;
  const { rows } = await client.query<{
    oid: number;
    encoding: string;
    collate: string;
    ctype: string;
    provider: string;
    locale: string | null;
    rules: string | null;
    owner: string;
    tablespace: string;
    connectionLimit: number;
    isTemplate: boolean;
    acl: string[] | null;
    comment: string | null;
    settings: { role: string | null; setting: string }[] | null;
  }>(
    `SELECT d.oid, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype, ${locale},
            pg_get_userbyid(datdba) AS owner, t.spcname AS tablespace, datconnlimit AS "connectionLimit", datistemplate AS "isTemplate",
            datacl::text[] AS acl, shobj_description(d.oid, 'pg_database') AS comment,
            (SELECT json_agg(json_build_object('role', r.rolname, 'setting', c) ORDER BY r.rolname NULLS FIRST)
               FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
              WHERE s.setdatabase = d.oid) AS settings
       FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = $1`,
    [name],
  );
  const row = rows[0];
  if (!row) return undefined;
  return {
    oid: row.oid,
    properties: {
      name,
      encoding: row.encoding,
      localeProvider: row.provider === 'i' ? 'icu' : row.provider === 'b' ? 'builtin' : 'libc',
      collate: row.collate,
      ctype: row.ctype,
      ...(row.locale === null ? {} : { locale: row.locale }),
      ...(row.rules === null ? {} : { icuRules: row.rules }),
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
    },
  };
}

/** Objects up to this OID were made by initdb (FirstNormalObjectId). */
const FIRST_USER_OID = 16384;

/**
 * A few of the objects that users have made in the database that `client` is connected to, as a person would write them;
 * empty when there are none.
 */
export async function readUserObjects(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ object: string }>(
    `SELECT object FROM (
       SELECT 1 AS rank, 'table ' || c.oid::regclass AS object, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_'
       UNION ALL SELECT 2, 'relation ' || c.oid::regclass, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE relkind IN ('v', 'm', 'S') AND n.nspname !~ '^pg_'
       UNION ALL SELECT 3, 'function ' || oid::regprocedure, oid FROM pg_proc
       UNION ALL SELECT 4, 'type ' || t.oid::regtype, t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE t.typelem = 0 AND t.typtype <> 'c' AND n.nspname !~ '^pg_'
       UNION ALL SELECT 5, 'schema ' || quote_ident(nspname), oid FROM pg_namespace WHERE nspname !~ '^pg_'
       UNION ALL SELECT 6, 'extension ' || quote_ident(extname), oid FROM pg_extension
       UNION ALL SELECT 7, 'large object ' || oid, oid FROM pg_largeobject_metadata
       UNION ALL SELECT 8, 'publication ' || quote_ident(pubname), oid FROM pg_publication
       UNION ALL SELECT 8, 'subscription ' || quote_ident(subname), s.oid FROM pg_subscription s
         JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
       UNION ALL SELECT 8, 'event trigger ' || quote_ident(evtname), oid FROM pg_event_trigger
       UNION ALL SELECT 8, 'foreign-data wrapper ' || quote_ident(fdwname), oid FROM pg_foreign_data_wrapper
     ) objects WHERE oid >= $1 ORDER BY rank, oid LIMIT 5`,
    [FIRST_USER_OID],
  );
  return rows.map(({ object }) => object);
}
