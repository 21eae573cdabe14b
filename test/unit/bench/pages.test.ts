import { describe, expect, test } from '@jest/globals';

import { resultPage, targetTable } from '../../../bench/result/markdown.ts';
import { picture } from '../../../bench/result/svg.ts';
import { benchResult, toolResult, workResult } from '../../support/sample-result.ts';

const dump = workResult(
  'dump',
  { ...toolResult('pg-dump-gzip', 'peer', [20, 21, 22], { bytes: 220e6 }), name: 'pg_dump | gzip <1>' },
  toolResult('ours', 'ours', [10], { bytes: 200e6 }),
  toolResult('ours-zstd-1', 'ours', [6]),
  toolResult('ours-without-digest', 'ours', [9]),
  toolResult('limit-zstd', 'limit', [5], { bytes: 0 }),
);
const verify = workResult('verify', toolResult('ours', 'ours', [2], { bytes: 0 }));
const result = benchResult(1, [dump, verify]);

describe('the page of a run', () => {
  const lines = resultPage(result, '1 GB').split('\n');

  test('has a row for each tool, with medians, spread and ratios to ours', () => {
    expect(lines).toContain('| `pg_dump \\| gzip <1>` |  | 21.0 (20.0–22.0) | 2.10 | 1.0 | 0.5 | 90 | 120 | 220 | 1.10 | 3 |');
    expect(lines).toContain('| `the limit-zstd` | limit | 5.00 (5.00–5.00) | 0.50 | 1.0 | 0.5 | 90 | 120 |  |  | 1 |');
  });

  test('has no column for what a work does not write', () => {
    expect(lines).toContain('| `the ours` | **ours** | 2.00 (2.00–2.00) | 1.00 | 1.0 | 0.5 | 90 | 120 | 1 |');
  });

  test('says on what machine, with which versions, when and by which command', () => {
    const text = lines.join('\n');
    for (const said of ['Abacus, 2 cores', 'PostgreSQL 15.1', '2026-01-02', '`npm run bench --`', 'commit abc']) {
      expect(text).toContain(said);
    }
    expect(text).not.toContain('Left out');
    expect(resultPage({ ...result, missing: ['pigz (not installed)'] }, '1 GB')).toContain('- Left out: pigz (not installed)');
  });

  test('no line of a table has more or fewer cells than its head', () => {
    const tables = lines.filter((line) => line.startsWith('|'));
    const cells = (line: string): number => line.replaceAll('\\|', '').split('|').length;
    let head = 0;
    tables.forEach((line, at) => {
      if (tables[at + 1]?.startsWith('| ---') === true) head = cells(line);
      expect(cells(line)).toBe(head);
    });
  });
});

test('a target that is not met is as plain as one that is', () => {
  const target = { what: 'dump', needed: '≥ 2×', reached: '1.90×' };
  expect(
    targetTable([
      { ...target, met: false },
      { ...target, met: true },
      { ...target, met: undefined },
    ]).slice(2),
  ).toEqual(['| dump | ≥ 2× | 1.90× | **not met** |', '| dump | ≥ 2× | 1.90× | met |', '| dump | ≥ 2× | 1.90× | not measured |']);
});

describe('the picture', () => {
  const svg = picture(result);

  test('is well-formed, stands alone and can be read in the dark', () => {
    const open = [...svg.matchAll(/<(\w+)(?: [^>]*[^/])?>/g)].map(([, name]) => name);
    const closed = [...svg.matchAll(/<\/(\w+)>/g)].map(([, name]) => name);
    expect(open.sort()).toEqual(closed.sort());
    expect(svg).toContain('pg_dump | gzip &lt;1&gt;');
    expect(svg).not.toMatch(/href|url\(|@import|NaN|undefined/);
    expect(svg).toContain('prefers-color-scheme:dark');
  });

  test('has bars as long as the times, fastest first, and leaves out what nobody can choose', () => {
    const widths = [...svg.matchAll(/<rect class="\w+" x="300" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    const [limit, zstd, ours, gzip] = widths;
    expect(limit! / zstd!).toBeCloseTo(5 / 6, 2);
    expect(ours! / gzip!).toBeCloseTo(10 / 21, 2);
    expect(svg).not.toContain('without-digest');
  });

  test('shows the distance to the limit', () => {
    expect(svg).toContain('1.20×');
  });
});
