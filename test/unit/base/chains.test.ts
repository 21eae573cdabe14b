import { expect, test } from '@jest/globals';
import { usableBases } from '../../../src/base/chains.ts';
import type { StoredBaseBackup } from '../../../src/base/list-bases.ts';
import { createMemoryStorage } from '../../../src/storage/memory.ts';

const target = createMemoryStorage({ name: 'disk' });

/** Only what chains look at. */
function base(label: string, parent?: string, damage?: string): StoredBaseBackup {
  return {
    manifest: {
      ...{ label, source: 'shop', pgManifest: { bytes: 1, sha256: `sum of ${label}` } },
      ...(parent !== undefined && { parent: { label: parent, pgManifestSha256: `sum of ${parent}` } }),
    } as StoredBaseBackup['manifest'],
    copies: [damage === undefined ? { target, state: 'whole' } : { target, state: 'damaged', detail: damage }],
  };
}

test('A chain is the full backup and all that build on it, in their order', () => {
  const { usable, unusable } = usableBases([base('c', 'b'), base('b', 'a'), base('a'), base('z')]);
  expect(usable.map(({ chain }) => chain.map(({ manifest }) => manifest.label).join(''))).toEqual(['abc', 'ab', 'a', 'z']);
  expect(unusable).toEqual([]);
});

test('What builds on a damaged, a missing or another backup is not good, and says on which', () => {
  const { usable, unusable } = usableBases([
    ...[base('c', 'b'), base('b', 'a', 'base.tar.gz is missing'), base('a'), base('e', 'd')],
    { ...base('g', 'a'), manifest: { ...base('g', 'a').manifest, parent: { label: 'a', pgManifestSha256: 'of another' } } },
  ]);
  expect(usable.map(({ manifest }) => manifest.label)).toEqual(['a']);
  expect(unusable).toEqual([
    { base: 'c', why: 'it builds on b, which is whole on no target (disk: base.tar.gz is missing)' },
    { base: 'b', why: 'disk: base.tar.gz is missing' },
    { base: 'e', why: 'it builds on d, which is missing' },
    { base: 'g', why: 'it builds on another a than the one that is there' },
  ]);
});

test('Backups that build on each other in a ring are not good', () => {
  expect(usableBases([base('a', 'b'), base('b', 'a')]).usable).toEqual([]);
});
