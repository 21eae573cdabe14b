import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { excludePatterns } from '../../../src/dump/exclude-patterns.ts';

const utf8 = (schema: string, name: string) => ({ schemaBytes: Buffer.from(schema), nameBytes: Buffer.from(name) });
const latin1 = (schema: string, name: string) => ({
  schemaBytes: Buffer.from(schema, 'latin1'),
  nameBytes: Buffer.from(name, 'latin1'),
});

describe('patterns that make pg_dump pass over the rows of tables', () => {
  test('each name is in quotes, so that nothing in it is a pattern', () => {
    expect(excludePatterns([utf8('a', 't'), utf8('A', 'U.*|')], 'UTF8')).toEqual(['"a"."t"', '"A"."U.*|"']);
  });

  test('quotes are doubled, any character may be in a name', () => {
    expect(excludePatterns([utf8('été', 'a"b\n$1')], 'UTF8')).toEqual(['"été"."a""b\n$1"']);
  });

  test('in a one-byte encoding characters beyond ASCII are written as escapes outside the quotes', () => {
    expect(excludePatterns([latin1('été', 'Straße"')], 'LATIN1')).toEqual(['\\u00e9"t"\\u00e9."Stra"\\u00df"e"""']);
  });

  test('thousands of names make few patterns', () => {
    const tables = Array.from({ length: 5000 }, (_, at) => utf8('public', `t_${at + 1}`));
    expect(excludePatterns(tables, 'UTF8').length).toBeLessThan(50);
  });

  test('the same names in the schemas of many tenants make few patterns', () => {
    const names = ['users', 'orders', 'order_items'];
    const tables = Array.from({ length: 500 }, (_, at) => names.map((name) => utf8(`tenant_${at}`, name))).flat();
    expect(excludePatterns(tables, 'UTF8').length).toBeLessThan(10);
  });

  test('they match every name of the tables, and no other', () => {
    const character = fc.constantFrom('a', 'b', 'A', '1', '_', '"', '.', '|', '(', '\\', '$', '*', '\n', 'é', '😀', '😁');
    const name = fc.string({ unit: character, minLength: 1, maxLength: 6 });
    const table = fc.tuple(fc.constantFrom('s', 's1', 'S.', '😀'), name);
    const tables = fc.uniqueArray(table, { selector: ([schema, own]) => `${schema}\0${own}`, maxLength: 60 });
    fc.assert(
      fc.property(tables, fc.array(table, { maxLength: 60 }), (ours, others) => {
        const patterns = excludePatterns(
          ours.map(([schema, own]) => utf8(schema, own)),
          'UTF8',
        ).map(readAsPgDump);
        const matched = ([schema, own]: [string, string]) => patterns.some(([s, n]) => s.test(schema) && n.test(own));
        for (const each of ours) expect(matched(each)).toBe(true);
        for (const each of others) expect(matched(each)).toBe(ours.some(([s, n]) => s === each[0] && n === each[1]));
      }),
    );
  });

  test('a long list is divided: no regular expression is longer than PostgreSQL tries fast', () => {
    const tables = Array.from({ length: 2000 }, (_, at) => utf8('public', ((at * 7919) % 99991).toString(36).repeat(9)));
    for (const pattern of excludePatterns(tables, 'UTF8')) expect(pattern.replaceAll(/["|()]/g, '').length).toBeLessThan(2600);
  });
});

/** Schema and name as regular expressions, as pg_dump reads a pattern (processSQLNamePattern of PostgreSQL's fe_utils). */
function readAsPgDump(pattern: string): [RegExp, RegExp] {
  const parts = [''];
  let quoted = false;
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '"' && quoted && characters[at + 1] === '"') {
      parts.push(`${parts.pop()!}"`);
      at += 1;
    } else if (character === '"') quoted = !quoted;
    else if (character === '.' && !quoted) parts.push('');
    else parts.push(parts.pop()! + (quoted && '|*+?()[]{}.^$\\'.includes(character) ? `\\${character}` : character));
  }
  const [schema, name] = parts.map((part) => new RegExp(`^(${part})$`, 'u'));
  return [schema!, name!];
}
