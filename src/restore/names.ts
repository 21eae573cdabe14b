import { BackupError } from '../errors.ts';

/** PostgreSQL cuts longer names silently (NAMEDATALEN - 1): two databases could become one. */
const MAX_NAME_BYTES = 63;

/** Refuses names that PostgreSQL would cut, cannot store, or that belong to the server itself. Everything else can be quoted. */
export function checkDatabaseName(name: string): void {
  const problem =
    name === ''
      ? 'it is empty'
      : name.includes('\0')
        ? 'it holds a zero byte'
        : /[\r\n]/.test(name)
          ? 'it holds a line break, which the client programs refuse'
          : Buffer.byteLength(name) > MAX_NAME_BYTES
            ? `it has ${Buffer.byteLength(name)} bytes, PostgreSQL allows ${MAX_NAME_BYTES}`
            : name === 'template0' || name === 'template1'
              ? 'new databases are made from it'
              : undefined;
  if (problem === undefined) return;
  throw new BackupError(
    'RESTORE_REFUSED',
    `A backup cannot be restored into a database named ${JSON.stringify(name)}: ${problem}. Nothing was changed.`,
    {
      hint: 'Choose another name for the new database.',
    },
  );
}

/** The name of the database while it is being filled: `<name>_restoring_<time>`. */
export function restoringName(database: string, at: Date, taken: ReadonlySet<string> = new Set()): string {
  return stampedName(database, 'restoring', at, taken);
}

/** The name under which a replaced database is kept: `<name>_before_<time>`. */
export function keptName(database: string, at: Date, taken: ReadonlySet<string> = new Set()): string {
  return stampedName(database, 'before', at, taken);
}

/** `<name>_<word>_<YYYYMMDD>_<HHMMSS>` in at most 63 bytes, with a number behind it if that is taken. */
function stampedName(database: string, word: string, at: Date, taken: ReadonlySet<string>): string {
  const stamp = at.toISOString().replace(/[-:]/g, '').slice(0, 15).replace('T', '_');
  for (let turn = 1; ; turn += 1) {
    const suffix = `_${word}_${stamp}${turn === 1 ? '' : `_${turn}`}`;
    const name = cutToBytes(database, MAX_NAME_BYTES - suffix.length) + suffix;
    if (!taken.has(name)) return name;
  }
}

/** The longest beginning of `text` of at most `bytes` bytes of UTF-8 that ends at a character's end. */
function cutToBytes(text: string, bytes: number): string {
  let kept = '';
  let length = 0;
  for (const character of text) {
    length += Buffer.byteLength(character);
    if (length > bytes) break;
    kept += character;
  }
  return kept;
}
