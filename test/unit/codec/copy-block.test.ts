import { describe, expect, test } from '@jest/globals';

import { copyRowsOffset, splitBlocks } from '../../../src/codec/copy-block.ts';

describe('where the rows of a COPY block begin', () => {
  test.each([
    'COPY public.t (a, b) FROM stdin;\n',
    'COPY public.t  FROM stdin;\n',
    'COPY public."a FROM stdin;\nb" ("c""d FROM stdin;\n") FROM stdin;\n',
  ])('%j', (header) => {
    expect(copyRowsOffset(Buffer.from(`${header}1\t FROM stdin;\n\\.\n`))).toBe(header.length);
  });

  test.each(['', 'SELECT 1;\n', 'COPY public.t (a', 'COPY "public FROM stdin;\n'])('%j is no header', (text) => {
    expect(copyRowsOffset(Buffer.from(text))).toBeUndefined();
  });
});

describe('the blocks that lie one behind the other', () => {
  const blocks = [
    'COPY public.a (x) FROM stdin;\n1\n\\\\.\n\\N\n\\.\n\n',
    'COPY public."b\n\\.\n\n" (x) FROM stdin;\n\\.\n\n',
    'COPY public.c  FROM stdin;\n\n\n\\.\n\n',
  ];

  test('are told apart, whatever rows and names look like', () => {
    expect(splitBlocks(Buffer.from(blocks.join(''))).map(String)).toEqual(blocks);
  });

  test('end with what is no whole block', () => {
    for (const rest of ['COPY public.d (x) FROM stdin;\n1\n', 'SELECT 1;\n'])
      expect(splitBlocks(Buffer.from(blocks.join('') + rest)).map(String)).toEqual([...blocks, rest]);
  });
});
