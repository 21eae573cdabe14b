/**
 * A pattern costs pg_dump three round trips, so many names go into one. But a long regular expression costs each name of the
 * catalog that it is tried on: about 5 µs up to here, 100 µs at 6,000 characters.
 */
const LONGEST = 2500;

/**
 * Patterns that make `pg_dump` leave out the rows of the given tables and of nothing else. The names of a schema (or of
 * several with the same names) are folded into few regular expressions: `"public"."t_"("1"(|"0"|"1")|"2")`. Each begins with
 * characters that all its names share, so that PostgreSQL tries it only on a stretch of an index: 5,000 tables cost 0.2 s
 * more than none, against 2 s with a pattern each and 90 s with one for all.
 * In a one-byte encoding other than ASCII, pg_dump reads its arguments in that encoding; outside double quotes they are
 * regular expressions, so such characters are written as `\u00e9`.
 */
export function excludePatterns(
  tables: readonly { readonly schemaBytes: Buffer; readonly nameBytes: Buffer }[],
  encoding: string,
): string[] {
  const utf8 = encoding === 'UTF8';
  // Characters, not UTF-16 halves of them: a name may be divided between any two.
  const read = (bytes: Buffer): string => bytes.toString(utf8 ? 'utf8' : 'latin1');
  const spell = utf8 ? quote : spellBytes;
  const patterns: string[] = [];
  for (const { names, schemas } of sameSchemas(tables.map((table) => [read(table.schemaBytes), read(table.nameBytes)]))) {
    const ofSchemas = divide(schemas, false).map((part) => fold(part, spell));
    for (const part of divide(names, true)) {
      const ofNames = fold(part, spell);
      patterns.push(...ofSchemas.map((schema) => `${schema}.${ofNames}`));
    }
  }
  return patterns;
}

type Characters = readonly string[];

/** Both sorted. */
interface Product {
  readonly schemas: readonly Characters[];
  readonly names: readonly Characters[];
}

/** The tables as products: names that occur in the same schemas, which is one for most and many where each tenant has one. */
function sameSchemas(tables: readonly (readonly [schema: string, name: string])[]): Product[] {
  const schemasOf = new Map<string, string[]>();
  for (const [schema, name] of tables) append(schemasOf, name, schema);
  const namesOf = new Map<string, string[]>();
  // No name has a zero character.
  for (const [name, schemas] of schemasOf) append(namesOf, schemas.sort().join('\0'), name);
  const characters = (text: string): Characters => Array.from(text);
  return Array.from(namesOf, ([schemas, names]) => ({
    schemas: schemas.split('\0').map(characters),
    names: names.sort().map(characters),
  }));
}

/** Parts of the names that are not too long, and with `prefixed` share their beginning, or are one name. */
function divide(names: readonly Characters[], prefixed: boolean): (readonly Characters[])[] {
  const shared = sharedLength(names);
  if (names.length === 1 || (foldedLength(names) <= LONGEST && (shared > 0 || !prefixed))) return [names];
  return branches(names, shared).flatMap((branch) => divide(branch, prefixed));
}

/** One regular expression for exactly these names, all different. */
function fold(names: readonly Characters[], spell: (text: string) => string): string {
  const shared = sharedLength(names);
  const beginning = spell(names[0]!.slice(0, shared).join(''));
  if (names.length === 1) return beginning;
  const rests = branches(names, shared).map((branch) => branch.map((name) => name.slice(shared)));
  return `${beginning}(${rests.map((branch) => fold(branch, spell)).join('|')})`;
}

/** Characters of the names when each shared beginning is written once. */
function foldedLength(names: readonly Characters[]): number {
  return names.reduce((sum, name, at) => sum + name.length - (at === 0 ? 0 : commonLength(names[at - 1]!, name)), 0);
}

/** The names by their first character after the shared ones; a name that ends there is a branch of its own. */
function branches(names: readonly Characters[], shared: number): Characters[][] {
  const found = new Map<string, Characters[]>();
  for (const name of names) append(found, name[shared] ?? '', name);
  return [...found.values()];
}

/** How many characters all of them begin with: they are sorted. */
function sharedLength(names: readonly Characters[]): number {
  return commonLength(names[0]!, names.at(-1)!);
}

function commonLength(a: Characters, b: Characters): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at;
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function quote(text: string): string {
  return text === '' ? '' : `"${text.replaceAll('"', '""')}"`;
}

function spellBytes(text: string): string {
  return text.replace(/[\u0001-\u007f]+|[\u0080-\u00ff]/g, (part) => {
    const code = part.charCodeAt(0);
    return code < 0x80 ? quote(part) : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}
