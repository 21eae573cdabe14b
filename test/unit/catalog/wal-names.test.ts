import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatLsn, parseLsn } from '../../../src/catalog/lsn.ts';
import { parseHistory } from '../../../src/catalog/timeline-history.ts';
import { parseWalFile, parseWalKey, segmentName, segmentOf, walKey } from '../../../src/catalog/wal-names.ts';

const MB16 = 16 * 2 ** 20;

test('A place in the WAL survives being written and read', () => {
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (lsn) => parseLsn(formatLsn(lsn)) === lsn));
  expect(() => parseLsn('nonsense')).toThrow(/not a place/);
});

test('Segments have the names that PostgreSQL gives them', () => {
  expect(segmentName(1, segmentOf(parseLsn('16/B374D848'), MB16), MB16)).toBe('0000000100000016000000B3');
  expect(segmentName(2, segmentOf(parseLsn('1/C0000000'), 2 ** 30), 2 ** 30)).toBe('000000020000000100000003');
});

test('Names and numbers of segments belong together, whatever the size of a segment', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.bigInt({ min: 0n, max: 2n ** 34n - 1n }),
      fc.constantFrom(2 ** 20, MB16, 2 ** 30),
      (timeline, number, bytes) => {
        const file = parseWalFile(segmentName(timeline, number, bytes), bytes);
        expect(file).toMatchObject({ kind: 'segment', timeline, number });
      },
    ),
  );
});

test('Keys name source and timeline, and lead back to the file', () => {
  const file = parseWalFile('0000000A00000000000000FF.partial', MB16)!;
  const key = walKey('my shop', file, 'zstd');
  expect(key).toBe('wal/my%20shop/0000000A/0000000A00000000000000FF.partial.zst');
  expect(parseWalKey(key)).toEqual({ file: file.name, codec: 'zstd' });
  expect(parseWalKey(`${key}.meta`)).toBeUndefined();
});

test('A history names the ancestors of a timeline', () => {
  const text = `1\t0/3000800\tno recovery target specified\n\n2\t0/5000000\tat restore point "x"\n`;
  expect(parseHistory(text)).toEqual([
    { parent: 1, lsn: 0x3000800n },
    { parent: 2, lsn: 0x5000000n },
  ]);
});
