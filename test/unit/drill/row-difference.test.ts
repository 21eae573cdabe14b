import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { createRowCutter } from '../../../src/codec/copy-rows.ts';
import { describeDifference } from '../../../src/drill/describe-difference.ts';
import { findDifference, type RowDifference, type RowSource } from '../../../src/drill/row-difference.ts';

/** Rows in members of ten; the buffer is used again for each row, as real sources do. */
function rowsOf(rows: readonly string[]): RowSource {
  const buffer = Buffer.alloc(1000);
  return {
    async read(take, only) {
      for (const [index, row] of rows.entries()) {
        const member = 1 + Math.floor(index / 10);
        if (only && !only.has(member)) continue;
        take(buffer.subarray(0, buffer.write(row)), member);
      }
    },
  };
}

async function difference(backup: readonly string[], table: readonly string[]): Promise<RowDifference> {
  return await findDifference(rowsOf(backup), rowsOf(table));
}

const hundred = Array.from({ length: 100 }, (_, i) => `${i}\tname ${i}\t${i % 7}`);
const with17 = (row: string): string[] => hundred.with(17, row);

describe('the rows that differ', () => {
  test('are none when only the order differs', async () => {
    expect(await difference(hundred, hundred.toReversed())).toMatchObject({ missingCount: 0, extraCount: 0, whole: true });
  });

  test('are found with their place in the backup', async () => {
    const { missing, missingCount, extraCount } = await difference(hundred, hundred.toSpliced(17, 1));
    expect({ missingCount, extraCount }).toEqual({ missingCount: 1, extraCount: 0 });
    expect(missing).toMatchObject([{ member: 2, row: 8 }]);
  });

  test('are counted as often as they differ', async () => {
    const few = fc.array(fc.nat(5), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(few, few, async (a, b) => {
        const { missingCount, extraCount } = await difference(a.map(String), b.map(String));
        const left = [...b];
        const missing = a.filter((value) => {
          const at = left.indexOf(value);
          if (at !== -1) left.splice(at, 1);
          return at === -1;
        });
        expect([missingCount, extraCount]).toEqual([missing.length, left.length]);
      }),
      { numRuns: 30 },
    );
  });

  test('are only sampled, and said to be, when nearly everything differs', async () => {
    const many = Array.from({ length: 250_000 }, (_, i) => String(i));
    const { missing, missingCount, whole } = await difference(many, []);
    expect(whole).toBe(false);
    expect(missingCount).toBeGreaterThan(100_000);
    expect(missing).toHaveLength(200);
    const text = describeDifference({ missing: [], missingCount, extra: [], extraCount: 0, whole }, ['n'], file);
    expect(text[0]).toMatch(/^At least \d+ rows of the backup are not in the table, at least 0 rows/);
  });
});

const file = {
  name: 'backup.sql.gz',
  codec: 'gzip' as const,
  members: Array.from({ length: 12 }, (_, i) => ({
    kind: 'chunk' as const,
    table: 0,
    offset: 100 * i,
    length: 100,
    rawLength: 100,
    rows: 10,
    sha256: '',
    ...(i === 5 && { continues: true as const }),
  })),
  isOfTable: (table: number) => table === 0,
};

async function description(backup: readonly string[], table: readonly string[]): Promise<string> {
  return describeDifference(await difference(backup, table), ['id', 'name', 'kind'], file).join(' ');
}

describe('the description of a difference', () => {
  test('names the columns that changed, and no value', async () => {
    const text = await description(hundred, with17('17\tsomebody else\t3'));
    expect(text).toBe(
      '1 row of the backup is not in the table, 1 row of the table is not in the backup. ' +
        'One pair of them differs only in column name: changed rather than lost. ' +
        'In backup.sql.gz they lie in member 2, bytes 200 to 299; the first is row 8 of member 2. ' +
        'To see it: tail -c +201 backup.sql.gz | head -c 100 | gunzip | sed -n 9p',
    );
  });

  test('counts the lines of the tables before it in a member of several', async () => {
    const [first, second, third, ...rest] = file.members;
    const { table: _, ...whole } = third!;
    const blocks = [
      { table: 4, rawLength: 60, rows: 6 },
      { table: 0, rawLength: 40, rows: 10 },
    ];
    const members = [first!, second!, { ...whole, rows: 16, blocks }, ...rest];
    const found = await difference(hundred, with17('17\tsomebody else\t3'));
    const text = describeDifference(found, ['id'], { ...file, members }).join(' ');
    // A COPY, six rows, the end, an empty line, a COPY, and the eighth row.
    expect(text).toContain('the first is row 8 of member 2. ');
    expect(text).toContain('| sed -n 18p');
  });

  test('takes swapped values for changes of the value, not of the key', async () => {
    const swapped = hundred.with(17, '17\tname 18\t3').with(18, '18\tname 17\t4');
    expect(await description(hundred, swapped)).toContain('2 pairs of them differ only in column name');
  });

  test('does not call rows changed that have little in common', async () => {
    expect(await description(hundred, with17('-1\tsomebody else\t3'))).not.toContain('changed');
  });

  test('spans the members of all missing rows, and gives no command for a row that is spread over members', async () => {
    const text = await description(hundred, hundred.toSpliced(48, 1).toSpliced(88, 1));
    expect(text).toContain('members 5 to 9, bytes 500 to 999; the first is row 9 of member 5');
    expect(text).not.toContain('To see it');
  });
});

describe('the cutter of rows', () => {
  test('gives the same rows however the text is cut', () => {
    const text = Buffer.from('one\n\ntwo\tx\nthree ü\n');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 30 }), (sizes) => {
        const rows: string[] = [];
        const cutter = createRowCutter((row) => void rows.push(row.toString()));
        let from = 0;
        for (const size of sizes) {
          // As a socket's buffer that is used again.
          const piece = Buffer.from(text.subarray(from, from + size));
          cutter.update(piece);
          piece.fill(0);
          from += size;
        }
        expect(rows).toEqual(['one', '', 'two\tx', 'three ü']);
      }),
    );
  });
});
