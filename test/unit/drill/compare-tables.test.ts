import { describe, expect, test } from '@jest/globals';

import type { Manifest, TableEntry } from '../../../src/catalog/manifest.ts';
import type { TableDigest } from '../../../src/catalog/table-digest.ts';
import { noFindings, resultOf } from '../../../src/drill/check.ts';
import { compareTables, type Locate } from '../../../src/drill/compare-tables.ts';
import { sampleManifest } from '../../support/sample-manifest.ts';

const digest = (n: number): string => n.toString(16).padStart(32, '0');

function entry(name: string, rows: number, sum: number, more: Partial<TableEntry> = {}): TableEntry {
  return { schema: 'public', name, columns: ['id', 'n'], rows, bytes: 10 * rows, digest: digest(sum), ...more };
}

function found(name: string, rows: number, sum: number): TableDigest {
  return { schema: 'public', name, found: { rows, bytes: 10 * rows, digest: digest(sum) } };
}

async function compare(tables: readonly TableEntry[], digests: readonly TableDigest[], locate?: Locate) {
  const findings = noFindings();
  const manifest: Manifest = sampleManifest({ tables });
  const comparisons = await compareTables(manifest, digests, locate, findings);
  return { ...resultOf(findings), comparisons };
}

const root = { schema: 'public', name: 'root' };

describe('tables', () => {
  test('are equal when number and digest are, in any order', async () => {
    const { verdict, comparisons } = await compare([entry('a', 1, 5), entry('b', 2, 6)], [found('b', 2, 6), found('a', 1, 5)]);
    expect(verdict).toBe('passed');
    expect(comparisons.map(({ equal }) => equal)).toEqual([true, true]);
  });

  test.each([
    ['a row less', found('a', 1, 5), 'It has 1 rows, the source had 2.'],
    ['another content', found('a', 2, 6), 'not by content'],
    ['a problem', { schema: 'public', name: 'a', problem: 'it does not exist' }, 'it does not exist'],
    ['nobody who looked at it', found('b', 2, 5), 'it was not looked at'],
  ])('differ by %s', async (_, digest, message) => {
    const { verdict, findings, comparisons } = await compare([entry('a', 2, 5)], [digest]);
    expect(verdict).toBe('failed');
    expect(findings).toEqual([{ object: 'public.a', message: expect.stringContaining(message) }]);
    expect(comparisons[0]!.equal).toBe(false);
  });

  test('are one with the root that they are loaded through: rows may be in another partition', async () => {
    const leaves = [entry('x', 1, 5, { loadInto: root }), entry('y', 2, 6, { loadInto: root })];
    const equal = await compare(leaves, [found('x', 3, 11), found('y', 0, 0)]);
    expect(equal.verdict).toBe('passed');
    expect(equal.comparisons).toMatchObject([{ name: 'root', equal: true, expected: { rows: 3, digest: digest(11) } }]);
    expect((await compare(leaves, [found('x', 3, 12), found('y', 0, 0)])).verdict).toBe('failed');
  });

  test('whose partitions have their columns in different orders are not comparable by digest: inconclusive, never equal', async () => {
    const leaves = [entry('x', 1, 5, { loadInto: root }), entry('y', 2, 6, { loadInto: root, columns: ['n', 'id'] })];
    const { verdict, comparisons } = await compare(leaves, [found('x', 3, 99), found('y', 0, 0)]);
    expect(verdict).toBe('inconclusive');
    expect(comparisons[0]!.equal).toBe(false);
    expect((await compare(leaves, [found('x', 3, 99), found('y', 1, 0)])).verdict).toBe('failed');
  });

  test('that differ are located, a few of them; a failure to do so does not hide the difference', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `t${i}`);
    const asked: string[] = [];
    const locate: Locate = async ([table]) => {
      asked.push(table!.name);
      if (table!.name === 't1') throw new Error('no time');
      return ['Here.'];
    };
    const { findings } = await compare(
      names.map((name) => entry(name, 1, 1)),
      names.map((name) => found(name, 2, 1)),
      locate,
    );
    expect(findings).toHaveLength(8);
    expect(asked).toHaveLength(5);
    expect(findings[0]!.message).toBe('It has 2 rows, the source had 1. Here.');
    expect(findings[1]!.message).toBe('It has 2 rows, the source had 1. Where could not be found out: no time.');
  });
});
