import { SqlQuotes } from './sql-quotes.ts';

/** psql goes to another database. COPY never writes a backslash and a `c` at the start of a row, so this counts within its rows too. */
const CONNECT = /[ \t]*\\c(?:onnect)?(?=\s|$)/iy;
/** What makes, drops or changes a database, and the line that every script of pg_dumpall begins with. */
const OTHER_DATABASE = /-- PostgreSQL database cluster dump\b|[ \t]*(?:DROP|CREATE|ALTER)[ \t]+DATABASE\b/iy;
/** The rows that follow are data up to the line `\.`. A statement that is written otherwise is taken for SQL, and its rows are too. */
const COPY_BEGIN = /COPY [^\n]* FROM stdin\b[^\n;]*;[ \t\r]*$/imy;
const COPY_END = /\\\.\r?$/my;
/** A line is looked at whole if it is no longer than this, otherwise by so much of its beginning. */
const LONGEST_LINE_BYTES = 1024 * 1024;

/**
 * Hands on a script in pieces of whole lines, each only after all its lines were looked at; throws what `refuse` makes of the first line
 * that goes to, makes, drops or changes a database. Such a line within a quoted text is refused as well: that is the safe side.
 */
export async function* guardScript(
  script: AsyncIterable<Buffer>,
  refuse: (line: string) => Error,
): AsyncGenerator<Buffer, void, void> {
  let held: Buffer = Buffer.alloc(0);
  // The rest of a line whose beginning was handed on already.
  let inLine = false;
  let inCopy = false;
  const quotes = new SqlQuotes();

  function look(piece: Buffer): void {
    // One character a byte: the marks are ASCII, and their bytes mean nothing else in any encoding of a dump.
    const text = piece.toString('latin1');
    let from = inLine ? nextLine(text, 0) : 0;
    if (inLine && !inCopy) quotes.take(text.slice(0, from));
    for (; from < text.length; from = nextLine(text, from)) {
      if (matches(CONNECT, text, from)) throw refuse(firstLine(text, from));
      if (inCopy) inCopy = !matches(COPY_END, text, from);
      else if (matches(OTHER_DATABASE, text, from)) throw refuse(firstLine(text, from));
      else {
        // Within a quoted text it is no COPY, and what follows no rows.
        inCopy = !quotes.within && matches(COPY_BEGIN, text, from);
        if (!inCopy) quotes.take(text.slice(from, nextLine(text, from)));
      }
    }
    inLine = !text.endsWith('\n');
  }

  for await (const chunk of script) {
    const seen = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    let whole = seen.lastIndexOf('\n') + 1;
    if (seen.length - whole > LONGEST_LINE_BYTES) whole = seen.length;
    held = seen.subarray(whole);
    if (whole === 0) continue;
    const piece = seen.subarray(0, whole);
    look(piece);
    yield piece;
  }
  if (held.length === 0) return;
  look(held);
  yield held;
}

function matches(mark: RegExp, text: string, at: number): boolean {
  mark.lastIndex = at;
  return mark.test(text);
}

function nextLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end === -1 ? text.length : end + 1;
}

function firstLine(text: string, from: number): string {
  return text.slice(from, nextLine(text, from)).trim().slice(0, 100);
}
