import { join } from 'node:path';

import { libpqEnvironment, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { runProgram } from '../../src/postgres/run-program.ts';

/**
 * Settings of a database change how `pg_dump` writes values, so all are compared under the same ones. Those of the session win
 * over those of database and role.
 */
const SETTINGS = {
  bytea_output: 'hex',
  TimeZone: 'UTC',
  xmloption: 'content',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  lc_monetary: 'C',
};

/** Statements outside COPY blocks, taken apart as far as it takes to know where they end. */
const TOKEN =
  /--[^\n]*|"(?:[^"]|"")*"|'(?:[^']|'')*'|\$([A-Za-z_\u0080-\u00ff][\w\u0080-\u00ff]*)?\$[^]*?\$\1\$|;|[^-"'$;]+|[-$"']/gy;

/**
 * What `pg_dump` says of a database, in a form that is equal for databases that hold the same: rows sorted within each COPY
 * block, those loaded through a partitioned table gathered at the end, the random keys of `\restrict` replaced. A line ends in `\n`; bytes are kept as they are (Latin-1 characters).
 */
export async function dumpText(
  binDirectory: string,
  connection: ConnectionOptions,
  options: { readonly snapshot?: string } = {},
): Promise<string> {
  return normalizeDump(await plainDump(binDirectory, connection, options));
}

/** The output of `pg_dump` as it is. */
export async function plainDump(
  binDirectory: string,
  connection: ConnectionOptions,
  { snapshot }: { readonly snapshot?: string } = {},
): Promise<string> {
  // Without it pg_dump takes the client_encoding of database or role, in which it may not even be able to write the names.
  const encoding = await withClient(connection, async (client) => {
    const { rows } = await client.query<{ encoding: string }>('SELECT getdatabaseencoding() AS encoding');
    return rows[0]!.encoding;
  });
  const parts: Buffer[] = [];
  await runProgram(join(binDirectory, 'pg_dump'), snapshot === undefined ? [] : [`--snapshot=${snapshot}`], {
    env: {
      ...libpqEnvironment(connection),
      PGCLIENTENCODING: encoding,
      PGOPTIONS: Object.entries(SETTINGS)
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
    },
    stdout: (chunk) => void parts.push(chunk),
  });
  return Buffer.concat(parts).toString('latin1');
}

/** See {@link dumpText}. */
export function normalizeDump(text: string): string {
  const parts: string[] = [];
  const throughRoots = new Map<string, string[]>();
  let statement = '';
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0] ?? text.slice(at);
    at += token.length;
    statement += token;
    if (token !== ';') continue;
    parts.push(withoutKeys(statement));
    if (/(?:^|\n)COPY [^]* FROM stdin;$/.test(statement)) {
      const start = at + 1;
      const end = text.startsWith('\\.\n', start) ? start : text.indexOf('\n\\.\n', start) + 1;
      if (end === 0) throw new Error('a COPY block of the dump has no end');
      const rows = end === start ? [] : text.slice(start, end).split(/(?<=\n)/);
      at = end;
      const root = /\n-- load via partition root (.+)\n/.exec(statement)?.[1];
      if (root !== undefined) {
        parts.pop();
        throughRoots.set(root, [...(throughRoots.get(root) ?? []), ...rows.map((row) => inOrderOfNames(statement, row))]);
      } else parts.push('\n', ...rows.sort());
    }
    statement = '';
  }
  parts.push(withoutKeys(statement));
  sortDefaultPrivileges(parts);
  for (const [root, rows] of throughRoots) parts.push(`-- rows through ${root}\n`, ...rows.sort());
  return parts.join('');
}

/** Before its releases of 2025 pg_dump writes them in an order that depends on OIDs, which a parallel restore gives as it comes. */
function sortDefaultPrivileges(parts: string[]): void {
  const isOne = (part: string): boolean => /\n-- Name: .*; Type: DEFAULT ACL; /.test(part);
  const isNamed = (part: string): boolean => /\n-- Name: .*; Type: .*; Schema: /.test(part);
  const from = parts.findIndex(isOne);
  if (from === -1) return;
  const entries: string[] = [];
  let to = from;
  for (; to < parts.length && (isOne(parts[to]!) || !isNamed(parts[to]!)); to += 1) {
    if (isOne(parts[to]!)) entries.push(parts[to]!);
    else entries.push(`${entries.pop()!}${parts[to]!}`);
  }
  parts.splice(from, to - from, ...entries.sort());
}

function withoutKeys(statement: string): string {
  return statement.replace(/^(\\(?:un)?restrict) \w+$/gm, '$1 KEY');
}

/**
 * Which partition has a row that is loaded through the root depends on OIDs, which every restore gives anew; and partitions differ in
 * the order of their columns. Only for tables whose columns have plain names.
 */
function inOrderOfNames(statement: string, row: string): string {
  const columns = /\(([^()]*)\) FROM stdin;$/.exec(statement)?.[1]?.split(', ') ?? [];
  const fields = row.slice(0, -1).split('\t');
  const named = columns.map((column, index) => `${column}=${fields[index]}`);
  return `${named.sort().join('\t')}\n`;
}
