import { BackupError } from '../errors.ts';

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

// A part in double quotes may hold anything, a quote being doubled; one without holds neither dots nor quotes.
const PART = /"(?:[^"]|"")+"|[^."]+/y;

/** `schema.name` or, in the schema `public`, `name`; as in SQL a part may be in double quotes, but case counts always. */
export function parseTableName(text: string): TableName {
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (!match) break;
    parts.push(match[0].startsWith('"') ? match[0].slice(1, -1).replaceAll('""', '"') : match[0]);
    at = PART.lastIndex;
    if (at === text.length && parts.length <= 2) {
      const [first, second] = parts;
      return second === undefined ? { schema: 'public', name: first! } : { schema: first!, name: second };
    }
    if (text[at] !== '.') break;
    at += 1;
  }
  throw new BackupError('USAGE', `${JSON.stringify(text)} is not the name of a table`, {
    hint: 'Write schema.name; put a part that holds a dot in double quotes: \'sales."orders.2026"\'.',
  });
}
