import type { ConnectionOptions } from '../postgres/connection.ts';
import type { Finding, Findings } from './check.ts';
import { isStatementError, RELATION_NAME, withSession, type Client } from './session.ts';

export interface AmcheckOptions {
  readonly connection: ConnectionOptions;
  /** Sessions that check at the same time. */
  readonly jobs: number;
  /** Whether the extension may be lacking. */
  readonly allows?: (object: string) => boolean;
  readonly signal: AbortSignal;
}

/** How many were looked at. */
export interface AmcheckCounts {
  readonly indexes: number;
  readonly tables: number;
}

interface Relation {
  /** As text: the driver would make a number of it. */
  readonly oid: string;
  readonly name: string;
  readonly kind: 'btree' | 'gin' | 'heap';
}

interface Extension {
  /** Where its functions are, quoted. */
  readonly schema: string;
  readonly heap: boolean;
  readonly gin: boolean;
  readonly unique: boolean;
}

const AMCHECK = 'extension amcheck';
const OUR_SCHEMA = 'db_backup_drill';
/** Findings of one table that are listed. */
const LISTED = 3;

// All of the database, the system's own catalogs too: large objects are in one of them. The largest first.
const RELATIONS = `
SELECT c.oid::text AS oid, ${RELATION_NAME} AS name, CASE WHEN c.relkind = 'i' THEN am.amname ELSE 'heap' END AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relpersistence <> 't' AND NOT c.relisshared
   AND (c.relkind = 'i' AND am.amname IN ('btree', 'gin') AND i.indisvalid AND i.indisready OR c.relkind IN ('r', 'm', 't') AND am.oid = 2)
 ORDER BY c.relpages DESC, c.oid`;

/**
 * Checks every B-tree index with `bt_index_check`, every row of its table being in it, and where the server has it every heap with
 * `verify_heapam` and every GIN index. The extension is made for it and dropped afterwards, unless it is there already.
 */
export async function runAmcheck(options: AmcheckOptions, findings: Findings): Promise<AmcheckCounts> {
  const { connection, signal, allows } = options;
  return await withSession(connection, signal, async (client) => {
    const made = await createExtension(client, allows?.(AMCHECK) === true ? findings.notes : findings.unsure);
    if (made === undefined) return { indexes: 0, tables: 0 };
    try {
      return await checkAll(client, options, findings);
    } finally {
      if (made && !signal.aborted) await client.query(`DROP SCHEMA ${OUR_SCHEMA} CASCADE`);
    }
  });
}

/** Whether it had to be made; `undefined` when it cannot be had, which is among the findings then. */
async function createExtension(client: Client, lacking: Finding[]): Promise<boolean | undefined> {
  const { rows } = await client.query<{ present: boolean; available: boolean; version: number }>(
    `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'amcheck') AS present,
            EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') AS available,
            current_setting('server_version_num')::int AS version`,
  );
  const { present, available, version } = rows[0]!;
  if (present) return false;
  const object = AMCHECK;
  if (!available) {
    lacking.push({
      object,
      message: 'the server does not have it: indexes and tables were not checked',
      hint: `Install the package postgresql-contrib of version ${Math.floor(version / 10_000)} (on Debian and Ubuntu it is part of postgresql-${Math.floor(version / 10_000)}).`,
    });
    return undefined;
  }
  try {
    // Event triggers of the restored database are not to have a say in it.
    await client.query('SET session_replication_role = replica');
    if (version >= 170000) await client.query('SET event_triggers = off');
    await client.query(`CREATE SCHEMA ${OUR_SCHEMA}`);
    await client.query(`CREATE EXTENSION amcheck SCHEMA ${OUR_SCHEMA}`);
    return true;
  } catch (error) {
    if (!isStatementError(error)) throw error;
    lacking.push({ object, message: `it cannot be created: ${error.message}. Indexes and tables were not checked` });
    // What is left of it lies in a copy that the drill throws away, and the finding above says that nothing was checked.
    await client.query(`DROP SCHEMA IF EXISTS ${OUR_SCHEMA} CASCADE`).catch(() => undefined);
    return undefined;
  }
}

async function checkAll(
  client: Client,
  { connection, jobs, signal }: AmcheckOptions,
  findings: Findings,
): Promise<AmcheckCounts> {
  const { rows } = await client.query<Extension>(
    `SELECT quote_ident(n.nspname) AS schema, bool_or(proname = 'verify_heapam') AS heap, bool_or(proname = 'gin_index_check') AS gin,
            bool_or(proname = 'bt_index_check' AND 'checkunique' = ANY (proargnames)) AS unique
       FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_proc p ON p.pronamespace = n.oid
      WHERE extname = 'amcheck' GROUP BY 1`,
  );
  const extension = rows[0]!;
  const all = (await client.query<Relation>(RELATIONS)).rows;
  const wanted = all.filter(({ kind }) => (kind !== 'heap' || extension.heap) && (kind !== 'gin' || extension.gin));
  const tables = wanted.filter(({ kind }) => kind === 'heap').length;
  const waiting = [...wanted];
  const work = async (session: Client): Promise<void> => {
    for (let relation = waiting.shift(); relation; relation = waiting.shift())
      await check(session, extension, relation, findings);
  };
  await Promise.all(
    Array.from({ length: Math.min(jobs, wanted.length) }, async () => await withSession(connection, signal, work)),
  );
  return { indexes: wanted.length - tables, tables };
}

async function check(
  client: Client,
  extension: Extension,
  { oid, name, kind }: Relation,
  { failed, unsure }: Findings,
): Promise<void> {
  const object = kind === 'heap' ? name : `index ${name}`;
  try {
    const { rows } = await client.query<{ text?: string }>(statementFor(extension, kind), [oid]);
    for (const { text } of rows.slice(0, LISTED)) if (text !== undefined) failed.push({ object, message: text });
    if (rows.length > LISTED) failed.push({ object, message: 'there is more damage than what is listed' });
  } catch (error) {
    if (!isStatementError(error)) throw error;
    // Class XX: data or index corrupted, or the server's own checks failed; 58: a file is missing or cannot be read.
    if (/^(XX|58)/.test(error.code)) failed.push({ object, message: error.message });
    else unsure.push({ object, message: `could not be checked: ${error.message}` });
  }
}

function statementFor({ schema, unique }: Extension, kind: Relation['kind']): string {
  if (kind === 'heap') {
    return `SELECT format('block %s, item %s: %s', blkno, offnum, msg) AS text FROM ${schema}.verify_heapam($1::oid::regclass) LIMIT ${LISTED + 1}`;
  }
  if (kind === 'gin') return `SELECT FROM ${schema}.gin_index_check($1::oid::regclass)`;
  return `SELECT FROM ${schema}.bt_index_check(index => $1::oid::regclass, heapallindexed => true${unique ? ', checkunique => true' : ''})`;
}
