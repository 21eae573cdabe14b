import { expect, test } from '@jest/globals';
import type { Backup } from '../../../src/catalog/backup.ts';
import { filterBackups, type BackupFilter } from '../../../src/cli/filter-backups.ts';

const backup = (label: string, source: string, day: number, state: Backup['state'], whole: string[]): Backup => ({
  ...{ label, source, state, key: `full/${label}.sql.gz`, codec: 'gzip', started: new Date(Date.UTC(2026, 0, day, 2)) },
  copies: ['local', 's3'].map((target) => ({ target, location: target, state: whole.includes(target) ? 'whole' : 'missing' })),
});
const all = [
  backup('e', 'crm', 5, 'complete', ['local', 's3']),
  backup('d', 'shop', 4, 'damaged', []),
  backup('c', 'shop', 3, 'incomplete', ['local']),
  backup('b', 'shop', 2, 'complete', ['s3']),
  backup('a', 'shop', 1, 'complete', ['local', 's3']),
];

test.each<[string, BackupFilter, string]>([
  ['nothing', {}, 'edcba'],
  ['a source', { source: 'shop' }, 'dcba'],
  ['a time from', { since: new Date('2026-01-03T02:00:00Z') }, 'edc'],
  ['a time to', { until: new Date('2026-01-03T02:00:00Z') }, 'cba'],
  ['a state', { state: 'damaged' }, 'd'],
  ['good ones', { state: 'good' }, 'ecba'],
  ['a target that holds it whole', { target: 's3' }, 'eba'],
  ['the newest of those', { state: 'good', source: 'shop', limit: 2 }, 'cb'],
  ['none', { limit: 0 }, ''],
])('Backups are chosen by %s', (_what, filter, expected) => {
  expect(
    filterBackups(all, filter)
      .map(({ label }) => label)
      .join(''),
  ).toBe(expected);
});
