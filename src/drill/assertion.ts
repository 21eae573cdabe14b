import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { Verdict } from './check.ts';
import { isStatementError, type Client } from './session.ts';

/** What an assertion must give: one `true`, no row at all, or at least one row. */
type Expectation = 'true' | 'empty' | 'rows';

/** How one assertion ended. */
export interface AssertionRun {
  readonly verdict: Verdict;
  /** Why it is not `passed`. */
  readonly message?: string;
  /** What the query gave, for those that say `-- expect: rows` or `-- expect: empty`: the first rows, long values cut. */
  readonly columns?: readonly string[];
  readonly rows?: readonly (readonly (string | null)[])[];
  /** More rows than are recorded. */
  readonly more?: boolean;
}

const RECORDED_ROWS = 20;
const RECORDED_CHARACTERS = 200;
const BOOLEAN = 16;

const EXPECT = /^\s*--\s*expect:\s*(.*?)\s*$/i;
/** The statement is read through a cursor: of a query that gives millions of rows only the first are fetched. */
const PREFIX = 'DECLARE assertion NO SCROLL CURSOR FOR ';

/**
 * Runs one query in a read-only transaction that is rolled back. The settings are those of the database: names are found as the
 * application finds them. Rejects only when the server cannot be reached or `signal` aborts.
 */
export async function runAssertion(
  connection: ConnectionOptions,
  text: string,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<AssertionRun> {
  const expectation = expectationOf(text);
  if (expectation === undefined) {
    return { verdict: 'failed', message: 'its first line names an expectation that is not known: true, empty and rows are.' };
  }
  const work = async (client: Client): Promise<AssertionRun> => await runQuery(client, text, timeoutSeconds, expectation);
  return await withClient(connection, work, { applicationName: 'db-backup assertion', signal });
}

function expectationOf(text: string): Expectation | undefined {
  const first = text.replace(/^\ufeff/, '').split('\n', 1)[0]!;
  const word = EXPECT.exec(first)?.[1]?.toLowerCase() ?? 'true';
  return word === 'true' || word === 'empty' || word === 'rows' ? word : undefined;
}

async function runQuery(client: Client, text: string, timeoutSeconds: number, expectation: Expectation): Promise<AssertionRun> {
  const statement = text.replace(/^\ufeff/, '');
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SELECT set_config('statement_timeout', $1, true)`, [`${timeoutSeconds}s`]);
  try {
    // By the extended protocol, which takes one statement: a second one could end the transaction.
    const declare = { text: PREFIX + statement, queryMode: 'extended' };
    await client.query(declare);
    const result = await client.query<(string | null)[]>({
      text: `FETCH ${RECORDED_ROWS + 1} FROM assertion`,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string | Buffer) => String(value) },
    });
    const { rows, fields } = result;
    return judge(expectation, rows, fields);
  } catch (error) {
    if (!isStatementError(error)) throw error;
    return { verdict: 'failed', message: describeError(error, statement, timeoutSeconds) };
  }
}

function judge(
  expectation: Expectation,
  rows: readonly (readonly (string | null)[])[],
  fields: readonly { readonly name: string; readonly dataTypeID: number }[],
): AssertionRun {
  if (expectation === 'true') {
    if (fields.length !== 1 || fields[0]!.dataTypeID !== BOOLEAN || rows.length !== 1) {
      const what = `${rows.length > RECORDED_ROWS ? `more than ${RECORDED_ROWS}` : rows.length} rows of ${fields.length} columns`;
      return {
        verdict: 'failed',
        message: `it must give one row with one boolean, and gave ${what}. For a query that lists rows, begin the file with "-- expect: empty" or "-- expect: rows".`,
      };
    }
    const value = rows[0]![0];
    if (value === 't') return { verdict: 'passed' };
    return { verdict: 'failed', message: value === null ? 'it gave NULL.' : 'it gave false.' };
  }
  const recorded = {
    columns: fields.map(({ name }) => name),
    rows: rows.slice(0, RECORDED_ROWS).map((row) => row.map(cut)),
    more: rows.length > RECORDED_ROWS,
  };
  if (expectation === 'empty' && rows.length > 0)
    return { verdict: 'failed', message: 'it must give no row, and gave some.', ...recorded };
  if (expectation === 'rows' && rows.length === 0)
    return { verdict: 'failed', message: 'it must give rows, and gave none.', ...recorded };
  return { verdict: 'passed', ...recorded };
}

function cut(value: string | null): string | null {
  return value !== null && value.length > RECORDED_CHARACTERS ? `${value.slice(0, RECORDED_CHARACTERS)}…` : value;
}

/** PostgreSQL's own words, with the place in the file. */
function describeError(error: Error & { code: string; position?: string }, statement: string, timeoutSeconds: number): string {
  if (error.code === '57014') return `it took longer than ${timeoutSeconds} seconds.`;
  // In characters, from 1, of what the server was given.
  const at = error.position === undefined ? -1 : Number(error.position) - 1 - PREFIX.length;
  if (at < 0) return `${error.message}.`;
  const before = Array.from(statement).slice(0, at).join('').split('\n');
  return `${error.message} (line ${before.length}, column ${Array.from(before.at(-1)!).length + 1}).`;
}
