import { describe, expect, test } from '@jest/globals';

import { excludePatterns } from '../../../src/dump/exclude-patterns.ts';

const utf8 = (schema: string, name: string) => ({ schemaBytes: Buffer.from(schema), nameBytes: Buffer.from(name) });
const latin1 = (schema: string, name: string) => ({
  schemaBytes: Buffer.from(schema, 'latin1'),
  nameBytes: Buffer.from(name, 'latin1'),
});

describe('patterns that make pg_dump pass over the rows of tables', () => {
  test('tables of a schema share a pattern, every name in quotes', () => {
    expect(excludePatterns([utf8('a', 't'), utf8('b', 'x'), utf8('a', 'U.*|')], 'UTF8')).toEqual([
      '"a".("t"|"U.*|")',
      '"b".("x")',
    ]);
  });

  test('quotes are doubled, any character may be in a name', () => {
    expect(excludePatterns([utf8('été', 'a"b\n$1')], 'UTF8')).toEqual(['"été".("a""b\n$1")']);
  });

  test('in a one-byte encoding characters beyond ASCII are written as escapes outside the quotes', () => {
    expect(excludePatterns([latin1('été', 'Straße"')], 'LATIN1')).toEqual(['\\u00e9"t"\\u00e9.("Stra"\\u00df"e""")']);
  });

  test('patterns stay short, and every table is in exactly one', () => {
    const tables = Array.from({ length: 2000 }, (_, i) => utf8('s', `table_${String(i)}`));
    const patterns = excludePatterns(tables, 'UTF8');
    expect(Math.max(...patterns.map((pattern) => pattern.length))).toBeLessThan(4100);
    const names = patterns.flatMap((pattern) => [...pattern.matchAll(/"(table_\d+)"/g)].map(([, name]) => name));
    expect(names).toEqual(tables.map(({ nameBytes }) => nameBytes.toString()));
  });
});
