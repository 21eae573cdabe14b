/** The table that a block `COPY schema.table (columns) FROM stdin;` names, unquoted; `undefined` when `header` is no such line. */
export function readCopyHeader(header: string): { readonly schema: string; readonly name: string } | undefined {
  const match = /^COPY ("(?:[^"]|"")*"|[^\s."]+)\.("(?:[^"]|"")*"|[^\s."(]+) /.exec(header);
  if (!match) return undefined;
  return { schema: unquote(match[1]!), name: unquote(match[2]!) };
}

function unquote(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}
