import type { Manifest, MemberEntry, TableEntry } from '../catalog/manifest.ts';
import { quoteIdentifier, withClient, type ConnectionOptions } from '../postgres/connection.ts';

export interface DamagedBit {
  /** Of the member in the manifest. */
  readonly index: number;
  /** Byte of the dump file in which one bit is the other way round. */
  readonly at: number;
}

/** In the middle of the head, which every restore reads first; and of the largest chunk, if there is one. */
export function bitsToDamage({ members }: Manifest): DamagedBit[] {
  const chunks = [...members.entries()].filter(([, { kind }]) => kind === 'chunk');
  const largest = chunks.reduce<[number, MemberEntry] | undefined>(
    (most, each) => (most && most[1].length >= each[1].length ? most : each),
    undefined,
  );
  const middle = ([index, { offset, length }]: [number, MemberEntry]) => ({ index, at: offset + Math.floor(length / 2) });
  return [...(members[0] ? [middle([0, members[0]])] : []), ...(largest ? [middle(largest)] : [])];
}

/** A copy of a table in which one value of one row differs. */
export interface AlteredTable {
  /** The table of the manifest that was copied. */
  readonly original: TableEntry;
  /** Where the copy is, with the columns of the original. */
  readonly copy: Pick<TableEntry, 'schema' | 'name' | 'columns'>;
  /** Makes the one change; before, the copy equals the original. */
  readonly alter: () => Promise<void>;
}

const SCHEMA = 'db_backup_drill_control';

/**
 * Copies the smallest table that has a value to lose, and offers to change one. In a table of its own, because there no constraint,
 * trigger or key stands in the way. Returns `undefined` when no table has a row with a value in it.
 */
export async function copyTableToAlter(
  connection: ConnectionOptions,
  tables: readonly TableEntry[],
): Promise<AlteredTable | undefined> {
  const some = tables.filter(({ rows, columns, loadInto }) => rows > 0 && columns.length > 0 && loadInto === undefined);
  const bySize = [...some].sort((a, b) => a.bytes - b.bytes).slice(0, TRIED);
  return await quietly(connection, async (query) => {
    await query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`);
    await query(`CREATE SCHEMA ${SCHEMA}`);
    for (const [at, original] of bySize.entries()) {
      const copy = { schema: SCHEMA, name: `copy_${at}`, columns: original.columns };
      const name = `${SCHEMA}.${copy.name}`;
      const columns = original.columns.map(quoteIdentifier).join(', ');
      const from = `${quoteIdentifier(original.schema)}.${quoteIdentifier(original.name)}`;
      await query(`CREATE TABLE ${name} AS SELECT ${columns} FROM ONLY ${from}`);
      for (const column of original.columns.map(quoteIdentifier)) {
        const [found] = await query(`SELECT ctid::text AS place FROM ${name} WHERE ${column} IS DISTINCT FROM NULL LIMIT 1`);
        if (found === undefined) continue;
        const change = `UPDATE ${name} SET ${column} = NULL WHERE ctid = '${found['place']!}'::tid`;
        // A domain may forbid the value.
        const allowed = await query(`BEGIN; ${change}; ROLLBACK`).then(
          () => true,
          async () => query('ROLLBACK').then(() => false),
        );
        if (!allowed) continue;
        return {
          original,
          copy,
          alter: () =>
            quietly(connection, async (again) => {
              await again(change);
            }),
        };
      }
    }
    return undefined;
  });
}

/** Tables that are looked at for a value that can be changed: the first one nearly always has one. */
const TRIED = 20;

type Query = (sql: string) => Promise<Record<string, string>[]>;

/** Event triggers of the restored database are not asked whether there may be a table more. */
async function quietly<T>(connection: ConnectionOptions, use: (query: Query) => Promise<T>): Promise<T> {
  return await withClient(
    connection,
    async (client) => {
      // PostgreSQL 17 and later know it.
      await client.query(
        `SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('server_version_num')::int >= 170000`,
      );
      return await use(async (sql) => (await client.query<Record<string, string>>(sql)).rows);
    },
    {
      sessionSettings: {
        session_replication_role: 'replica',
        default_transaction_read_only: 'off',
        statement_timeout: '0',
        search_path: 'pg_catalog',
      },
    },
  );
}
