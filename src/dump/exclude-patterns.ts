/**
 * Patterns that make `pg_dump` leave out the rows of the given tables and of nothing else, one a table: an exact name is
 * looked up by index, an alternation of many would be matched against the whole catalog (5,000 tables: 6 s against 90 s).
 * In a one-byte encoding other than ASCII, pg_dump reads its arguments in that encoding; outside double quotes they are
 * regular expressions, so such characters are written as `\u00e9`.
 */
export function excludePatterns(
  tables: readonly { readonly schemaBytes: Buffer; readonly nameBytes: Buffer }[],
  encoding: string,
): string[] {
  const spell = encoding === 'UTF8' ? (name: Buffer) => quote(name.toString()) : spellBytes;
  return tables.map(({ schemaBytes, nameBytes }) => `${spell(schemaBytes)}.${spell(nameBytes)}`);
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function spellBytes(name: Buffer): string {
  return name.toString('latin1').replace(/[\u0001-\u007f]+|[\u0080-\u00ff]/g, (part) => {
    const code = part.charCodeAt(0);
    return code < 0x80 ? quote(part) : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
