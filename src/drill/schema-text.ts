import { libpqEnvironment, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';
import { programOptions } from './session.ts';

/** What `pg_dump` says of one object, under its own name for it. */
export interface SchemaEntry {
  /** As in the comment above the object: `TABLE sales.orders`, `FK CONSTRAINT sales.orders orders_customer_fkey`. */
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

/**
 * The definitions of a database as `pg_dump --schema-only` writes them, taken apart by the comment that stands above each object.
 * Bytes are kept as they are (Latin-1 characters), but for what differs from one run to the next.
 */
export async function readSchema(
  programs: ClientPrograms,
  connection: ConnectionOptions,
  encoding: string,
  signal: AbortSignal,
): Promise<SchemaEntry[]> {
  const parts: Buffer[] = [];
  const args = ['--schema-only', '--no-password', `--encoding=${encoding}`];
  await runProgram(programs.path('pg_dump'), args, {
    env: { ...libpqEnvironment(connection), PGOPTIONS: programOptions() },
    stdout: (chunk) => void parts.push(chunk),
    signal,
    name: 'pg_dump',
  });
  return splitSchema(Buffer.concat(parts).toString('latin1'));
}

const HEADER = /^--\n-- Name: (.*); Type: ([A-Z][A-Z ]*); Schema: (.*); Owner: (.*)\n--\n/gm;
/** Set before an object when it differs from the last one's: what is said of an object must not depend on its neighbours. */
const PLACE = /^SET (default_tablespace|default_table_access_method) = (.*);\n+/gm;
const PLACED: Record<string, readonly string[]> = {
  TABLE: ['default_tablespace', 'default_table_access_method'],
  'MATERIALIZED VIEW': ['default_tablespace', 'default_table_access_method'],
  INDEX: ['default_tablespace'],
  CONSTRAINT: ['default_tablespace'],
};

/** See {@link readSchema}. What stands before the first object is one of its own. */
export function splitSchema(script: string): SchemaEntry[] {
  const headers = [...script.matchAll(HEADER)];
  const place = new Map<string, string>();
  const textOf = (from: number, to: number | undefined): string => {
    return script.slice(from, to).replace(PLACE, (_, name: string, value: string) => {
      place.set(name, value);
      return '';
    });
  };
  const start = textOf(0, headers[0]?.index)
    .replace(/^\\(un)?restrict .*\n/gm, '')
    .replace(/^-- Dumped (from|by) .*\n/gm, '');
  const entries: SchemaEntry[] = [{ name: 'settings of the script', type: '', text: start.trim() }];
  for (const [index, header] of headers.entries()) {
    const [whole, name, type, schema, owner] = header as unknown as [string, string, string, string, string];
    const placed = (PLACED[type] ?? []).map((setting) => `-- ${setting}: ${place.get(setting) ?? ''}\n`).join('');
    const last = index === headers.length - 1;
    let text = textOf(header.index + whole.length, headers[index + 1]?.index);
    if (last) text = text.replace(/^--\n-- PostgreSQL database dump complete\n--\n/m, '').replace(/^\\unrestrict .*\n/gm, '');
    const qualified = schema === '-' ? name : `${schema}.${name}`;
    entries.push({ name: `${type} ${qualified}`, type, text: `-- owner: ${owner}\n${placed}${text.trim()}` });
  }
  return entries;
}
