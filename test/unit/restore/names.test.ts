import { describe, expect, test } from '@jest/globals';

import { checkDatabaseName, keptName, restoringName } from '../../../src/restore/names.ts';

const AT = new Date('2026-01-02T03:04:05Z');

describe('the names of databases beside', () => {
  test('say what they are and when', () => {
    expect(keptName('shop', AT)).toBe('shop_before_20260102_030405');
    expect(restoringName('shop', AT)).toBe('shop_restoring_20260102_030405');
  });

  test.each(['x'.repeat(63), 'ü'.repeat(31), '😀'.repeat(15)])(
    'fit in 63 bytes and are cut at the end of a character',
    (database) => {
      const name = keptName(database, AT);
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
      expect(name).toMatch(/_before_20260102_030405$/);
      expect(database.startsWith(name.slice(0, -'_before_20260102_030405'.length))).toBe(true);
    },
  );

  test('are never those of a database that is there', () => {
    const taken = new Set(['shop_before_20260102_030405', 'shop_before_20260102_030405_2']);
    expect(keptName('shop', AT, taken)).toBe('shop_before_20260102_030405_3');
  });

  test('bytes are counted, not characters', () => {
    expect(() => checkDatabaseName('ü'.repeat(31))).not.toThrow();
    expect(() => checkDatabaseName('ü'.repeat(32))).toThrow('64 bytes');
  });
});
