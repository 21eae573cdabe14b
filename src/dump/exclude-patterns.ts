/** Longest pattern, in characters: each costs pg_dump one query, and a very long regular expression costs more than two. */
const PATTERN_CHARACTERS = 4_000;

/**
 * Arguments that make `pg_dump` leave out the rows of the given tables and of nothing else. Its patterns are regular
 * expressions outside double quotes, so that many tables share one: `"sales".("orders"|"customers")`. In a one-byte
 * encoding other than ASCII, pg_dump reads its arguments in that encoding; such characters are written as `\u00e9`.
 */
export function excludePatterns(
  tables: readonly { readonly schemaBytes: Buffer; readonly nameBytes: Buffer }[],
  encoding: string,
): string[] {
  const spell = encoding === 'UTF8' ? (name: Buffer) => quote(name.toString()) : spellBytes;
  const bySchema = new Map<string, string[]>();
  for (const { schemaBytes, nameBytes } of tables) {
    const schema = spell(schemaBytes);
    const names = bySchema.get(schema) ?? [];
    if (names.length === 0) bySchema.set(schema, names);
    names.push(spell(nameBytes));
  }
  return [...bySchema].flatMap(([schema, names]) => groups(names).map((group) => `${schema}.(${group.join('|')})`));
}

function groups(names: readonly string[]): string[][] {
  const result: string[][] = [];
  let length = Infinity;
  for (const name of names) {
    if (length + name.length > PATTERN_CHARACTERS) {
      result.push([]);
      length = 0;
    }
    result.at(-1)!.push(name);
    length += name.length + 1;
  }
  return result;
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
