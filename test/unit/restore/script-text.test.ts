import { describe, expect, test } from '@jest/globals';

import { readCopyHeader } from '../../../src/restore/copy-header.ts';
import { createScriptHash, readBegin, readEnd } from '../../../src/restore/script-text.ts';

function hashOf(text: string, pieceBytes = Infinity): string {
  const script = createScriptHash();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) script.update(bytes.subarray(at, at + pieceBytes));
  return script.digest();
}

const long = 'x'.repeat(600);
const script = (key: string): string => `\\restrict ${key}\nSELECT 1;\n${long}\n-- \\restrict ${long}\n\\unrestrict ${key}\nend`;

describe('the hash of a script', () => {
  test('does not depend on the keys of \\restrict, and on everything else', () => {
    expect(hashOf(script('abc'))).toBe(hashOf(script('a key of another length')));
    expect(hashOf(script('abc'))).not.toBe(hashOf(script('abc').replace('SELECT 1', 'SELECT 2')));
    expect(hashOf(script('abc'))).not.toBe(hashOf(script('abc').replace('-- \\restrict x', '-- \\restrict y')));
    expect(hashOf(script('abc'))).not.toBe(hashOf(`${script('abc')}\n`));
  });

  test.each([1, 2, 7, 256, 257, 300])('does not depend on pieces of %i bytes', (bytes) => {
    expect(hashOf(script('abc'), bytes)).toBe(hashOf(script('abc')));
  });
});

describe('the lines at the ends of a script', () => {
  test('are read, and what is between them', () => {
    const text = Buffer.from('-- db-backup begin {"label":"x"}\nSELECT 1;\n\n-- db-backup end {"tables":[]}\n');
    const begin = readBegin(text)!;
    const end = readEnd(text)!;
    expect([begin.facts, end.facts]).toEqual([{ label: 'x' }, { tables: [] }]);
    expect(text.subarray(begin.restAt, end.endAt).toString()).toBe('SELECT 1;\n');
  });

  test.each([
    '',
    '\n-- db-backup end {"tables":[]',
    '\n-- db-backup end {"tables":[]}',
    '\n-- db-backup end {"tab\n',
    'x-- db-backup end {}\n',
  ])('are not made of %j', (text) => {
    expect(readEnd(Buffer.from(text))).toBeUndefined();
  });
});

describe('the header of a COPY block', () => {
  test.each([
    ['COPY public.orders (id, note) FROM stdin;', 'public', 'orders'],
    ['COPY "odd ""s"".x"."T, (a)" ("a b") FROM stdin;', 'odd "s".x', 'T, (a)'],
    ['COPY public.nothing  FROM stdin;', 'public', 'nothing'],
    ['COPY public."new\nline" (a) FROM stdin;', 'public', 'new\nline'],
  ])('%j names its table', (header, schema, name) => {
    expect(readCopyHeader(header)).toEqual({ schema, name });
  });
});
