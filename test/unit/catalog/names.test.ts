import { describe, expect, test } from '@jest/globals';

import { dumpKey, labelOf, parseDumpName } from '../../../src/catalog/names.ts';

describe('the name of a dump', () => {
  test.each(['shop', 'my-db.prod', 'with_underscore', 'ünï "cöde"/..', '%41', '20260101_020000'])(
    'gives the source %j back',
    (source) => {
      const started = new Date('2026-01-02T03:04:05.678Z');
      const key = dumpKey(labelOf(source, started), 'zstd');
      expect(key).toMatch(/^full\/backup_[A-Za-z0-9.%-]+_20260102_030405\.sql\.zst$/);
      expect(parseDumpName(key)).toEqual({
        label: labelOf(source, started),
        source,
        started: new Date('2026-01-02T03:04:05Z'),
        codec: 'zstd',
      });
    },
  );

  test.each([
    'full/backup_shop_20260102_030405.sql.gz.meta',
    'backup_shop_20261302_030405.sql.gz',
    'backup_%ZZ_20260102_030405.sql.gz',
    'shop.sql.gz',
    '',
  ])('is not %j', (name) => {
    expect(parseDumpName(name)).toBeUndefined();
  });
});
