import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { planCopies } from '../../../src/dump/plan.ts';
import type { SourceTable } from '../../../src/dump/tables.ts';

const MIB = 1024 * 1024;
const options = { workers: 2, serverVersion: 170000, encoding: 'UTF8' };

function table(name: string, heapBytes: number, more: Partial<SourceTable> = {}): SourceTable {
  return {
    oid: 1,
    schema: 's',
    name,
    sqlName: `s.${name}`,
    schemaBytes: Buffer.from('s'),
    nameBytes: Buffer.from(name),
    columns: ['a', 'b'],
    sqlColumns: '(a, b)',
    header: Buffer.from(''),
    heapBytes,
    totalBytes: heapBytes,
    heap: true,
    unlogged: false,
    rowSecurity: false,
    readable: true,
    ...more,
  };
}

describe('the plan of what is copied by whom', () => {
  test('a large table is split into ranges of pages that touch without overlap, the last one open', () => {
    const [size] = [400 * MIB];
    const ranges = planCopies([table('big', size)], options)
      .flat()
      .map(({ sql }) => ({ from: Number(/ctid >= '\((\d+),0\)'/.exec(sql)![1]), to: /ctid < '\((\d+),0\)'/.exec(sql)?.[1] }))
      .sort((a, b) => a.from - b.from);
    expect(ranges.length).toBeGreaterThan(4);
    expect(ranges[0]!.from).toBe(0);
    ranges.forEach(({ to }, i) => expect(to === undefined ? undefined : Number(to)).toBe(ranges[i + 1]?.from));
  });

  test('before PostgreSQL 14, and with another storage than heap, tables are copied whole', () => {
    for (const plan of [
      planCopies([table('big', 400 * MIB)], { ...options, serverVersion: 130010 }),
      planCopies([table('big', 400 * MIB, { heap: false })], options),
    ]) {
      expect(plan.flat().map(({ sql }) => sql)).toEqual(["COPY s.big (a, b) TO STDOUT WITH (FORMAT text, ENCODING 'UTF8')"]);
    }
  });

  test('a table without a page is not copied, and every other one is, once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 }), (sizes) => {
        const tables = sizes.map((size, i) => table(`t${String(i)}`, size * 64 * 1024));
        const units = planCopies(tables, options).flat();
        const whole = new Set(units.map((unit) => unit.table));
        expect([...whole].sort((a, b) => a - b)).toEqual(sizes.flatMap((size, i) => (size > 0 ? [i] : [])));
      }),
    );
  });

  test('the largest come first, small ones go together, and neighbours are of different tables', () => {
    const tables = [table('small1', 8192), table('big', 90 * MIB), table('small2', 8192), table('middle', 20 * MIB)];
    const plan = planCopies(tables, options);
    expect(plan.at(-1)!.map((unit) => unit.label)).toEqual(['s.small1', 's.small2']);
    const large = plan.slice(0, -1).map(([unit]) => unit!.label);
    expect(large.slice(0, 3)).toEqual(['s.big', 's.middle', 's.big']);
    expect(new Set(large.slice(3))).toEqual(new Set(['s.big']));
  });

  test('the last ranges are small, so that the workers end together', () => {
    const plan = planCopies([table('big', 4000 * MIB)], options).flat();
    const weights = plan.map((unit) => unit.weight);
    expect(weights.at(-1)!).toBeLessThan(weights[0]! / 3);
    expect(weights.filter((weight) => weight === weights.at(-1)).length).toBe(16);
  });
});
