import type { Client } from 'pg';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { withClient } from '../postgres/connection.ts';
import { BackupError } from '../errors.ts';

/** What of a table must not change between the snapshot and the reading of its rows. */
export interface TableIdentity {
  readonly oid: number;
  /** `schema.table`, for people. */
  readonly name: string;
  readonly identity: string;
}

// Every table whose rows a dump has, ours or pg_dump's: members of extensions only if they are configuration tables.
// Bytes that are no UTF-8 (SQL_ASCII) would not reach us: the identity comes as a hash, such a name with escapes.
const SELECT_IDENTITIES = `
SELECT c.oid, CASE WHEN getdatabaseencoding() = 'SQL_ASCII' THEN encode(convert_to(format('%I.%I', n.nspname, c.relname), 'SQL_ASCII'), 'escape')
                   ELSE format('%I.%I', n.nspname, c.relname) END AS name,
       md5(concat_ws(E'\\n', n.nspname, c.relname, c.relfilenode, (
         SELECT string_agg(concat_ws(' ', attnum, attname, atttypid, atttypmod, attgenerated), ',' ORDER BY attnum)
           FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped))) AS identity
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND (NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))`;

/** The tables of the database as this session sees them. */
export async function readIdentities(client: Client): Promise<TableIdentity[]> {
  const { rows } = await client.query<TableIdentity>(SELECT_IDENTITIES);
  return rows;
}

/**
 * A TRUNCATE or rewrite between snapshot and lock leaves a table that looks empty to the snapshot; it would be dumped so, and
 * the digest would prove it. A column dropped and made again would be dumped as NULLs, two tables that swapped their names as
 * each other. So another session's view of the catalog, taken when nothing can change any more, must be the snapshot's: same
 * table, name, columns and file of rows.
 */
export async function assertUnchanged(connection: ConnectionOptions, seen: readonly TableIdentity[]): Promise<void> {
  if (seen.length === 0) return;
  // Nobody's functions in place of the server's.
  const now = await withClient(connection, readIdentities, { sessionSettings: { search_path: '' } });
  const identities = new Map(now.map(({ oid, identity }) => [oid, identity]));
  const changed = seen.filter(({ oid, identity }) => identities.get(oid) !== identity).map(({ name }) => name);
  if (changed.length === 0) return;
  throw new BackupError('SOURCE_CHANGED', `${listNames(changed)} changed during the dump.`, {
    retryable: true,
    hint: 'Nothing was kept of this attempt. If it happens every time, move the schedule away from migrations and TRUNCATEs.',
  });
}

export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(', ');
  return names.length > 10 ? `${shown} and ${String(names.length - 10)} more tables` : shown;
}
