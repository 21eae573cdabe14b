import type { Client } from 'pg';

/** What `CREATE DATABASE` and `ALTER DATABASE` need to make an equal empty database; a manifest has it. */
export interface DatabaseProperties {
  readonly name: string;
  readonly encoding: string;
  /** `libc`, `icu` or `builtin`; before PostgreSQL 15 always `libc`. */
  readonly localeProvider: 'libc' | 'icu' | 'builtin';
  readonly collate: string;
  readonly ctype: string;
  /** ICU or builtin locale. */
  readonly locale?: string;
  readonly icuRules?: string;
  readonly collationVersion?: string;
  readonly owner: string;
  readonly tablespace: string;
  /** -1: no limit. */
  readonly connectionLimit: number;
  readonly isTemplate: boolean;
  /** Items as in `pg_database.datacl`; absent when the default applies. */
  readonly acl?: readonly string[];
  /** `ALTER DATABASE … SET` (role absent) and `ALTER ROLE … IN DATABASE … SET`. */
  readonly settings: readonly { readonly role?: string; readonly name: string; readonly value: string }[];
  readonly comment?: string;
}

/** A row of pg_database, with what hangs on it. */
export interface FoundDatabase {
  readonly oid: number;
  readonly properties: DatabaseProperties;
}

interface Row {
  oid: number;
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
}

/**
 * The database of this name (the connected one when left out), or `undefined` when the server has none.
 * `serverVersion` as in `server_version_num`: the columns for locales came with 15, 16 and 17.
 */
export async function readDatabaseProperties(
  client: Client,
  serverVersion: number,
  name?: string,
): Promise<FoundDatabase | undefined> {
  const { rows } = await client.query<Row>(
    `SELECT d.oid, datname AS name, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
            ${localeColumns(serverVersion)},
            pg_get_userbyid(datdba) AS owner, t.spcname AS tablespace, datconnlimit AS "connectionLimit", datistemplate AS "isTemplate",
            datacl::text[] AS acl, shobj_description(d.oid, 'pg_database') AS comment,
            (SELECT json_agg(json_build_object('role', r.rolname, 'setting', c) ORDER BY r.rolname NULLS FIRST)
               FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
              WHERE s.setdatabase = d.oid) AS settings
       FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = coalesce($1, current_database())`,
    [name ?? null],
  );
  const row = rows[0];
  return row && { oid: row.oid, properties: propertiesOf(row) };
}

function localeColumns(serverVersion: number): string {
  if (serverVersion >= 170000)
    return 'datlocprovider AS provider, datlocale AS locale, daticurules AS rules, datcollversion AS version';
  if (serverVersion >= 160000)
    return 'datlocprovider AS provider, daticulocale AS locale, daticurules AS rules, datcollversion AS version';
  if (serverVersion >= 150000)
    return 'datlocprovider AS provider, daticulocale AS locale, NULL AS rules, datcollversion AS version';
  return `'c' AS provider, NULL AS locale, NULL AS rules, NULL AS version`;
}

function propertiesOf(row: Row): DatabaseProperties {
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
