import type { Client } from 'pg';

/** A table whose rows we copy. */
export interface SourceTable {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `schema.table` as SQL. */
  readonly sqlName: string;
  /** Schema and name in the database's encoding. */
  readonly schemaBytes: Buffer;
  readonly nameBytes: Buffer;
  readonly columns: readonly string[];
  /** `(a, b)` as SQL; empty for a table without columns. */
  readonly sqlColumns: string;
  /** First line of its COPY blocks, in the database's encoding. */
  readonly header: Buffer;
  /** The root to load through: a hash partition on an enum key may be another partition after a restore. */
  readonly loadInto?: { readonly schema: string; readonly name: string };
  /** The root of the partitioned table that it is a part of. */
  readonly partitionOf?: { readonly schema: string; readonly name: string };
  /** Bytes of the main fork and, with TOAST, of all rows. */
  readonly heapBytes: number;
  readonly totalBytes: number;
  readonly heap: boolean;
  readonly unlogged: boolean;
  readonly rowSecurity: boolean;
  readonly readable: boolean;
}

// The same choice as pg_dump's getTables and selectDumpableTable: plain tables (partitions too) of schemas that are not the
// system's, members of extensions left out (pg_dump keeps the rows of those that are configuration tables). Partitions that are
// loaded through their root have the root's order of columns: a row looks the same whichever partition it is restored into.
const SELECT_TABLES = `
SELECT c.oid, n.nspname AS schema, c.relname AS name,
       format('%I.%I', n.nspname, c.relname) AS "sqlName",
       convert_to(n.nspname, getdatabaseencoding()) AS "schemaBytes", convert_to(c.relname, getdatabaseencoding()) AS "nameBytes",
       a.columns, a.sql_columns AS "sqlColumns",
       convert_to(format('COPY %I.%I %s FROM stdin;', coalesce(rn.nspname, n.nspname), coalesce(r.relname, c.relname), a.sql_columns) || E'\\n',
                  getdatabaseencoding()) AS header,
       CASE WHEN r.oid IS NOT NULL THEN json_build_object('schema', rn.nspname, 'name', r.relname) END AS "loadInto",
       CASE WHEN c.relispartition THEN (
            SELECT json_build_object('schema', pn.nspname, 'name', p.relname) FROM pg_class p JOIN pg_namespace pn ON pn.oid = p.relnamespace
             WHERE p.oid = pg_partition_root(c.oid) AND ($1 OR NOT (pn.nspname || p.relname) ~ '[^\\x01-\\x7f]')) END AS "partitionOf",
       coalesce(pg_relation_size(c.oid), 0)::float8 AS "heapBytes",
       coalesce(pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0), 0)::float8 AS "totalBytes",
       coalesce(am.amname = 'heap', false) AS heap, c.relpersistence = 'u' AS unlogged,
       row_security_active(c.oid) AS "rowSecurity",
       has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT')
         OR NOT EXISTS (SELECT FROM pg_attribute p WHERE p.attrelid = c.oid AND p.attnum > 0 AND NOT p.attisdropped
                        AND NOT has_column_privilege(c.oid, p.attnum, 'SELECT'))) AS readable
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am am ON am.oid = c.relam
  LEFT JOIN pg_class r ON c.relispartition AND r.oid = pg_partition_root(c.oid) AND EXISTS (
       SELECT FROM pg_partition_ancestors(c.oid) p(oid) JOIN pg_partitioned_table t ON t.partrelid = p.oid AND t.partstrat = 'h'
         JOIN pg_opclass o ON o.oid = ANY (t.partclass::oid[]) AND o.opcname = 'enum_ops' AND o.opcnamespace = 'pg_catalog'::regnamespace)
  LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
  CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(m.attname::text ORDER BY coalesce(o.attnum, m.attnum)), '{}') AS columns,
              coalesce('(' || string_agg(quote_ident(m.attname), ', ' ORDER BY coalesce(o.attnum, m.attnum)) || ')', '') AS sql_columns
         FROM pg_attribute m LEFT JOIN pg_attribute o ON o.attrelid = r.oid AND o.attname = m.attname
        WHERE m.attrelid = c.oid AND m.attnum > 0 AND NOT m.attisdropped AND m.attgenerated = '') a
 WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
   AND ($1 OR NOT (n.nspname || c.relname || a.sql_columns || coalesce(rn.nspname || r.relname, '')) ~ '[^\\x01-\\x7f]')
 ORDER BY c.oid`;

/**
 * The tables to copy. In a database whose encoding the driver cannot speak of by name (SQL_ASCII, and multi-byte encodings
 * other than UTF8, see {@link excludePatterns}), tables with non-ASCII names are left to `pg_dump`.
 */
export async function readTables(client: Client, namesInAnyLanguage: boolean): Promise<SourceTable[]> {
  type Row = Omit<SourceTable, 'loadInto' | 'partitionOf'> &
    Record<'loadInto' | 'partitionOf', SourceTable['partitionOf'] | null>;
  const { rows } = await client.query<Row>(SELECT_TABLES, [namesInAnyLanguage]);
  return rows.map(({ loadInto, partitionOf, ...table }) => ({
    ...table,
    ...(loadInto ? { loadInto } : {}),
    ...(partitionOf ? { partitionOf } : {}),
  }));
}

/** Whether every name can be passed to `pg_dump` as a pattern: UTF8, or one byte a character. */
export async function readNaming(client: Client): Promise<{ encoding: string; namesInAnyLanguage: boolean }> {
  const { rows } = await client.query<{ encoding: string; width: number }>(
    `SELECT pg_encoding_to_char(encoding) AS encoding, pg_encoding_max_length(encoding) AS width
       FROM pg_database WHERE datname = current_database()`,
  );
  const { encoding, width } = rows[0]!;
  return { encoding, namesInAnyLanguage: encoding === 'UTF8' || (encoding !== 'SQL_ASCII' && width === 1) };
}

export interface SourceSequence {
  readonly schema: string;
  readonly name: string;
  /** In the database's encoding. */
  readonly schemaBytes: Buffer;
  readonly nameBytes: Buffer;
}

export async function readSequenceNames(client: Client): Promise<SourceSequence[]> {
  const { rows } = await client.query<SourceSequence>(
    `SELECT n.nspname AS schema, c.relname AS name, convert_to(n.nspname, getdatabaseencoding()) AS "schemaBytes",
            convert_to(c.relname, getdatabaseencoding()) AS "nameBytes"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'`,
  );
  return rows;
}
