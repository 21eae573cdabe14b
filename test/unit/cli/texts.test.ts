import { describe, expect, test } from '@jest/globals';
import { errorBlock } from '../../../src/cli/error-block.ts';
import { ageText, bytesText, countText, secondsText, timeText } from '../../../src/quantities.ts';
import { parseTableName } from '../../../src/cli/table-name.ts';
import { factLines, tableLines } from '../../../src/cli/table.ts';
import { printLines } from '../../../src/cli/terminal.ts';
import { BackupError } from '../../../src/errors.ts';

describe('Quantities', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [1024 ** 2 - 1, '1.0 MiB'],
    [150 * 1024 ** 2, '150 MiB'],
    [5 * 1024 ** 4, '5.0 TiB'],
    [3000 * 1024 ** 5, '3000 PiB'],
  ])('%d bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));

  test.each([
    [0, '0.0 s'],
    [59.94, '59.9 s'],
    [75.4, '1 min 15 s'],
    [7325, '2 h 2 min'],
  ])('%d seconds are %s', (seconds, text) => expect(secondsText(seconds)).toBe(text));

  test('counts and times read well', () => {
    expect(countText(1_234_567)).toBe('1,234,567');
    expect(timeText(new Date('2026-01-02T03:04:05.999Z'))).toBe('2026-01-02 03:04:05 UTC');
    const from = new Date('2026-01-01T00:00:00Z');
    const later = (minutes: number) => new Date(from.getTime() + minutes * 60_000);
    expect([5, 119, 120, 60 * 71, 60 * 72].map((minutes) => ageText(from, later(minutes)))).toEqual([
      ...['5 min', '119 min', '2 h', '71 h', '3 d'],
    ]);
    expect(ageText(later(5), from)).toBe('0 min');
  });
});

describe('Tables', () => {
  test('have columns as wide as their widest cell', () => {
    expect(
      tableLines(
        ['NAME', 'ROWS'],
        [
          ['a', '1'],
          ['longer', '1,000'],
        ],
        [1],
      ),
    ).toEqual([...['NAME     ROWS', 'a           1', 'longer  1,000']]);
    expect(
      factLines([
        ['size', '1 B'],
        ['duration', '2 s'],
      ]),
    ).toEqual(['  size      1 B', '  duration  2 s']);
  });

  test('do not let a name move the cursor', () => {
    let text = '';
    printLines({ write: (part) => (text += part) }, ['a\x1b[2Jb\rc\td']);
    expect(text).toBe('a?[2Jb?c\td\n');
  });
});

describe('The name of a table', () => {
  test.each([
    ['orders', 'public', 'orders'],
    ['sales.orders', 'sales', 'orders'],
    ['sales."orders.2026"', 'sales', 'orders.2026'],
    ['"a""b".c d', 'a"b', 'c d'],
    ['Sales.Orders', 'Sales', 'Orders'],
  ])('%s', (text, schema, name) => expect(parseTableName(text)).toEqual({ schema, name }));

  test.each(['', 'a.b.c', 'a.', '.a', '"a', 'a"b', 'a.."b"'])('%j is none', (text) =>
    expect(() => parseTableName(text)).toThrow(expect.objectContaining({ code: 'USAGE' })),
  );
});

describe('An error', () => {
  const error = new BackupError('STORAGE_FULL', 'the disk is full', { hint: 'Make room.', cause: new Error('ENOSPC') });

  test('says what failed, what to do and its code', () => {
    expect(errorBlock(error)).toBe('Error: the disk is full\n  What to do: Make room.\n  Code: STORAGE_FULL (exit status 20)');
  });

  test('has its stack and cause only when asked', () => {
    expect(errorBlock(error, { verbose: true })).toMatch(/\n\s+at [^]*Caused by:\nError: ENOSPC/);
  });

  test('has no secret', () => {
    expect(
      errorBlock(new BackupError('INTERNAL', 'password hunter2'), { redact: (text) => text.replace('hunter2', '***') }),
    ).toContain('password ***');
  });
});
