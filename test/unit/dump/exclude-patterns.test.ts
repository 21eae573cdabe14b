import { describe, expect, test } from '@jest/globals';

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
});
