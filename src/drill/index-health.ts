import type { ConnectionOptions } from '../postgres/connection.ts';
import { runAmcheck, type AmcheckCounts } from './amcheck.ts';
import { noFindings, resultOf, type CheckResult } from './check.ts';
import { askBoth, isStatementError, RELATION_NAME } from './session.ts';

export interface HealthInput {
  /** The restored database, when its definitions have been compared: an extension is made in it for a while. */
  readonly connection: ConnectionOptions;
  /** As for the comparison: what is invalid or not filled there is so in the source. */
  readonly emptyCopy: ConnectionOptions;
  /** Sessions that check at the same time. */
  readonly jobs: number;
  /** Whether `extension amcheck` may be lacking. */
  readonly allows?: (object: string) => boolean;
  readonly signal: AbortSignal;
}

export interface HealthResult extends CheckResult {
  /** Indexes and tables that `amcheck` looked at. */
  readonly checked: AmcheckCounts;
}

/** What `pg_dump` does not say or a server may get wrong, each with what it means; names that both databases list are the source's own. */
const STATES = [
  {
    what: 'index',
    message: 'it is not valid: no query uses it',
    query: `SELECT ${RELATION_NAME} AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relpersistence <> 't' ORDER BY 1`,
  },
  {
    what: 'constraint',
    message: 'it is not validated: rows may violate it',
    query: `SELECT format('%s of %s', quote_ident(conname), CASE WHEN conrelid <> 0 THEN conrelid::regclass::text ELSE contypid::regtype::text END) AS name
              FROM pg_constraint WHERE NOT convalidated ORDER BY 1`,
  },
  {
    what: 'materialized view',
    message: 'it is not populated: it cannot be read',
    query: `SELECT ${RELATION_NAME} AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'm' AND NOT c.relispopulated ORDER BY 1`,
  },
];

/**
 * Whether the restored database can be worked with: indexes valid, constraints validated and materialized views filled as the source
 * had them, and indexes and tables whole by `amcheck`. Without that extension the result is `inconclusive`.
 */
export async function checkHealth({ connection, emptyCopy, jobs, allows, signal }: HealthInput): Promise<HealthResult> {
  const findings = noFindings();
  for (const { what, message, query } of STATES) {
    const [inSource, here] = await askBoth({ emptyCopy, restored: connection, signal }, async (client) => {
      return (await client.query<{ name: string }>(query)).rows.map(({ name }) => name);
    });
    for (const name of here) {
      const finding = { object: `${what} ${name}`, message };
      if (inSource.includes(name)) findings.notes.push({ ...finding, message: `${message}, as in the source` });
      else findings.failed.push(finding);
    }
  }
  const checked = await runAmcheck({ connection, jobs, ...(allows && { allows }), signal }, findings).catch((error: unknown) => {
    if (!isStatementError(error)) throw error;
    findings.unsure.push({ object: 'extension amcheck', message: `indexes and tables could not be checked: ${error.message}` });
    return { indexes: 0, tables: 0 };
  });
  return { ...resultOf(findings), checked };
}
