import type { Client } from 'pg';

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
       UNION ALL SELECT 8, 'language ' || quote_ident(lanname), oid FROM pg_language
       UNION ALL SELECT 9, 'collation ' || oid::regcollation, oid FROM pg_collation
       UNION ALL SELECT 9, 'text search configuration ' || oid::regconfig, oid FROM pg_ts_config
       UNION ALL SELECT 9, 'text search dictionary ' || oid::regdictionary, oid FROM pg_ts_dict
       UNION ALL SELECT 9, 'text search parser ' || quote_ident(prsname), oid FROM pg_ts_parser
       UNION ALL SELECT 9, 'text search template ' || quote_ident(tmplname), oid FROM pg_ts_template
       UNION ALL SELECT 9, 'operator ' || oid::regoperator, oid FROM pg_operator
       UNION ALL SELECT 9, format('cast (%s AS %s)', castsource::regtype, casttarget::regtype), oid FROM pg_cast
       UNION ALL SELECT 9, 'default privileges of ' || defaclrole::regrole, oid FROM pg_default_acl
     ) objects WHERE oid >= $1 ORDER BY rank, oid LIMIT 5`,
    [FIRST_USER_OID],
  );
  return rows.map(({ object }) => object);
}
