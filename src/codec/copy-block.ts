/** Ends the rows of a COPY block. */
export const COPY_END = Buffer.from('\\.\n\n');

const HEADER_END = Buffer.from(' FROM stdin;\n');
const QUOTE = 0x22;

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

function quotesBetween(bytes: Buffer, start: number, end: number): number {
  let quotes = 0;
  for (let at = bytes.indexOf(QUOTE, start); at !== -1 && at < end; at = bytes.indexOf(QUOTE, at + 1)) quotes += 1;
  return quotes;
}
