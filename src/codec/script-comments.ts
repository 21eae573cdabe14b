/**
 * The first and the last line of every dump (docs/backup-format.md): with them and the members' headers the manifest can be
 * rebuilt from the file alone, and a script that was cut off at a member's end is not taken for a whole one.
 */
export const BEGIN_PREFIX = '-- db-backup begin ';
export const END_PREFIX = '-- db-backup end ';

export function beginLine(facts: object): string {
  return `${BEGIN_PREFIX}${asciiJson(facts)}\n`;
}

export function endLine(facts: object): string {
  return `\n${END_PREFIX}${asciiJson(facts)}\n`;
}

/** JSON on one line and in ASCII, so that it is the same in every database encoding. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * What a dump's head has behind the archive's pre-data section, and its tail before the others: money values travel in the C
 * locale, whatever `lc_monetary` the database that reads them has.
 */
export const AROUND_SECTIONS = { afterPreData: "\nSET lc_monetary = 'C';\n\n", beforeData: 'RESET lc_monetary;\n\n' } as const;
