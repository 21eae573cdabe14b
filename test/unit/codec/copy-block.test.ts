import { describe, expect, test } from '@jest/globals';

import { copyRowsOffset } from '../../../src/codec/copy-block.ts';

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
