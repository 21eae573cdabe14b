const LINE_END = 0x0a;
const TAB = 0x09;

/** Cuts COPY text that comes in pieces into rows: no header, no `\.`. Throws nothing; a row that never ends is never handed over. */
export interface RowCutter {
  update(text: Buffer): void;
}

/** `take` is handed each row without its line end: a view that is valid only during the call. */
export function createRowCutter(take: (row: Buffer) => void): RowCutter {
  let begun: Buffer[] = [];
  return {
    update(text) {
      let from = 0;
      for (let end = text.indexOf(LINE_END); end !== -1; end = text.indexOf(LINE_END, from)) {
        const row = text.subarray(from, end);
        if (begun.length === 0) {
          take(row);
        } else {
          take(Buffer.concat([...begun, row]));
          begun = [];
        }
        from = end + 1;
      }
      // A copy: the caller may use its buffer again.
      if (from < text.length) begun.push(Buffer.from(text.subarray(from)));
    },
  };
}

/** The fields of a row as they are written; tabs in values are escaped. */
export function copyFields(row: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  let from = 0;
  for (let end = row.indexOf(TAB); end !== -1; end = row.indexOf(TAB, from)) {
    fields.push(row.subarray(from, end));
    from = end + 1;
  }
  fields.push(row.subarray(from));
  return fields;
}
