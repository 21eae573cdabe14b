import type { ConnectionOptions } from '../../src/postgres/connection.ts';
import { dumpText } from './dump-text.ts';

const SHOWN_LINES = 12;
const CONTEXT_LINES = 4;
const SHOWN_CHARACTERS = 240;

/**
 * Throws unless two databases of one server are equal for `pg_dump`. A dump's text is not stable over a round trip, so compare two
 * restored databases, never a source with its restore.
 */
export async function expectEqualDatabases(
  binDirectory: string,
  expected: ConnectionOptions,
  actual: ConnectionOptions,
): Promise<void> {
  const [expectedText, actualText] = [await dumpText(binDirectory, expected), await dumpText(binDirectory, actual)];
  expectEqualText(expectedText, actualText, `database ${JSON.stringify(actual.database)}`);
}

/** Throws an error that shows the first differing lines of two dumps. */
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

function show(mark: string, lines: readonly string[]): string[] {
  const shown = lines
    .slice(0, SHOWN_LINES)
    .map((line) => mark + Buffer.from(line, 'latin1').toString('utf8').slice(0, SHOWN_CHARACTERS));
  return lines.length > SHOWN_LINES ? [...shown, `${mark}… ${lines.length - SHOWN_LINES} more`] : shown;
}
