const SHOWN_LINES = 6;
const CONTEXT_LINES = 4;
const SHOWN_CHARACTERS = 240;

/**
 * Throws an error that shows the first differing lines of two dumps (see dump-text.ts). A dump's text is not stable over a round trip, so
 * compare two restored databases, never a source with its restore.
 */
export function expectEqualText(expected: string, actual: string, what: string): void {
  if (expected === actual) return;
  const [left, right] = [expected.split('\n'), actual.split('\n')];
  let from = 0;
  while (left[from] === right[from]) from += 1;
  let [leftEnd, rightEnd] = [left.length, right.length];
  while (leftEnd > from && rightEnd > from && left[leftEnd - 1] === right[rightEnd - 1]) {
    leftEnd -= 1;
    rightEnd -= 1;
  }
  throw new Error(
    [
      `${what} differs in lines ${from + 1} to ${Math.max(leftEnd, rightEnd)} (expected ${leftEnd - from} lines, found ${rightEnd - from}):`,
      ...show('  ', left.slice(Math.max(0, from - CONTEXT_LINES), from)),
      ...show('- ', left.slice(from, leftEnd)),
      ...show('+ ', right.slice(from, rightEnd)),
    ].join('\n'),
  );
}

/** The first of the lines and, when they are many, the last. */
function show(mark: string, lines: readonly string[]): string[] {
  const line = (text: string): string => mark + Buffer.from(text, 'latin1').toString('utf8').slice(0, SHOWN_CHARACTERS);
  if (lines.length <= 2 * SHOWN_LINES) return lines.map(line);
  const left = lines.length - 2 * SHOWN_LINES;
  return [...lines.slice(0, SHOWN_LINES).map(line), `${mark}… ${left} more …`, ...lines.slice(-SHOWN_LINES).map(line)];
}
