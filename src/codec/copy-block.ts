/** Ends the rows of a COPY block. */
export const COPY_END = Buffer.from('\\.\n\n');

const HEADER_END = Buffer.from(' FROM stdin;\n');
const QUOTE = 0x22;
const LINE_END = 0x0a;

/**
 * Where the rows begin in a block `COPY table (columns) FROM stdin;⏎rows\.`: the offset behind the header's line end,
 * or `undefined` if `text` does not begin with a header. Names may be quoted and hold anything, line ends too.
 */
export function copyRowsOffset(text: Uint8Array): number | undefined {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  if (!bytes.subarray(0, 5).equals(Buffer.from('COPY '))) return undefined;
  let from = 5;
  for (;;) {
    const end = bytes.indexOf(HEADER_END, from);
    if (end === -1) return undefined;
    if (quotesBetween(bytes, 5, end) % 2 === 0) return end + HEADER_END.length;
    from = end + 1;
  }
}

/**
 * The whole blocks that text is made of, one behind the other. What is not one to its end comes last, as it is. A row never begins
 * with `\\.`: COPY doubles a backslash.
 */
export function splitBlocks(text: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let from = 0; from < text.length;) {
    const rest = text.subarray(from);
    let end = copyRowsOffset(rest) ?? rest.length;
    while (end < rest.length && !rest.subarray(end, end + COPY_END.length).equals(COPY_END)) {
      const line = rest.indexOf(LINE_END, end);
      end = line === -1 ? rest.length : line + 1;
    }
    blocks.push(rest.subarray(0, end + COPY_END.length));
    from += end + COPY_END.length;
  }
  return blocks;
}

function quotesBetween(bytes: Buffer, start: number, end: number): number {
  let quotes = 0;
  for (let at = bytes.indexOf(QUOTE, start); at !== -1 && at < end; at = bytes.indexOf(QUOTE, at + 1)) quotes += 1;
  return quotes;
}
