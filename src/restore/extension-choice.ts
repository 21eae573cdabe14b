/** What becomes of a backup's extensions on a server that does not offer them as its default. Used by drills; a plain restore takes the defaults. */
export interface ExtensionChoice {
  /** Not created: nobody may have them. What the backup has of theirs goes with them, as far as a script shows it. */
  readonly leftOut: readonly string[];
  /** Created in this version and not in the server's default one, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** May become another version than the backup's, an older one included. */
  readonly otherVersion: readonly string[];
}

export const NO_CHOICE: ExtensionChoice = { leftOut: [], versions: {}, otherVersion: [] };

/** As the client programs write it into a script: `-- Name: hstore; Type: EXTENSION; Schema: -; Owner: -`. */
const HEADER = /^-- (?:Data for )?Name: (.*); Type: ([A-Z][A-Z ]*); Schema: (.*); Owner: (.*)$/;
const CREATE = /^(CREATE EXTENSION IF NOT EXISTS (.*) WITH SCHEMA .*);$/;
/** Every database has them. */
const GIVEN_SCHEMAS = ['public', 'pg_catalog', 'information_schema', '-'];
const LINE_FEED = 0x0a;
/** Of the lines that are looked at: `-- Name`, `CREATE EXTENSION`, `SET default_`. */
const FIRST_LETTERS: ReadonlySet<number> = new Set(Buffer.from('-CS'));

/**
 * Scripts of one backup, head first, with the choice put into practice: versions are named, and of an extension that is left out there
 * is nothing, nor of a schema that only its own script would have made (its rows, values of sequences, privileges).
 */
export function scriptFilter(choice: ExtensionChoice): (script: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> {
  if (choice.leftOut.length === 0 && Object.keys(choice.versions).length === 0) return (script) => script;
  const schemas = new Set(GIVEN_SCHEMAS);
  const isLeftOut = (line: string): boolean => {
    const [, name, type, schema] = HEADER.exec(line) as unknown as [string, string, string, string];
    if (type === 'SCHEMA') schemas.add(name);
    if (choice.leftOut.length === 0) return false;
    if (type === 'EXTENSION') return choice.leftOut.includes(name);
    if (type === 'COMMENT' && name.startsWith('EXTENSION ')) return choice.leftOut.includes(unquoted(name.slice(10)));
    const [, ofSchema] = /^SCHEMA (.*)$/.exec(name) ?? [];
    return (
      !schemas.has(schema) || (schema === '-' && type === 'ACL' && ofSchema !== undefined && !schemas.has(unquoted(ofSchema)))
    );
  };
  return async function* (script) {
    let dropping = false;
    // A header begins with a line `--`: whether that belongs to what is dropped is known with the line after it.
    let opening: Buffer | undefined;
    for await (const line of linesOf(script)) {
      if (opening === undefined && line.length === 3 && line.toString('latin1') === '--\n') {
        opening = line;
        continue;
      }
      const text = FIRST_LETTERS.has(line[0]!) ? line.toString('latin1').trimEnd() : '';
      if (opening !== undefined && HEADER.test(text)) dropping = isLeftOut(text);
      // Stands before the header of the entry that it is for.
      if (!dropping || text.startsWith('SET default_')) {
        if (opening !== undefined) yield opening;
        yield withVersion(line, text, choice.versions);
      }
      opening = undefined;
    }
    if (opening !== undefined && !dropping) yield opening;
  };
}

/**
 * The same for people without this program: a `sed` script that names the versions, before the first rows. Undefined when there is nothing
 * to name.
 */
export function sedForVersions({ versions }: Pick<ExtensionChoice, 'versions'>): string | undefined {
  const parts = Object.entries(versions).map(([name, version]) => {
    const plain = `CREATE EXTENSION IF NOT EXISTS "\\{0,1\\}${name.replace(/[.[\]*^$/\\]/g, '\\$&')}"\\{0,1\\} WITH SCHEMA .*`;
    return `1,/^COPY /s/^\\(${plain}\\);$/\\1 VERSION '${version.replaceAll("'", "''").replace(/[&/\\]/g, '\\$&')}';/`;
  });
  return parts.length === 0 ? undefined : parts.join('\n');
}

function withVersion(line: Buffer, text: string, versions: ExtensionChoice['versions']): Buffer {
  const [, statement, name] = CREATE.exec(text) ?? [];
  const version = name === undefined ? undefined : versions[unquoted(name)];
  return version === undefined ? line : Buffer.from(`${statement} VERSION '${version.replaceAll("'", "''")}';\n`, 'latin1');
}

function unquoted(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
}

/** Lines with their ends, whatever pieces they come in. */
async function* linesOf(script: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let rest: Buffer[] = [];
  for await (const part of script) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, from)) {
      const line = bytes.subarray(from, at + 1);
      yield rest.length === 0 ? line : Buffer.concat([...rest, line]);
      rest = [];
      from = at + 1;
    }
    if (from < bytes.length) rest.push(bytes.subarray(from));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}
