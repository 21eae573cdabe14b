import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';

import { overviewPage, README, readResults, RESULTS_FOLDER, withBenchmarks } from '../../../bench/result/documents.ts';
import { resultPage } from '../../../bench/result/markdown.ts';
import { picture } from '../../../bench/result/svg.ts';
import { benchResult, toolResult, workResult } from '../../support/sample-result.ts';

describe('what is committed', () => {
  test('README shows what the results of 1 GB give, and nothing else', async () => {
    const readme = await readFile(README, 'utf8');
    const one = (await readResults(RESULTS_FOLDER)).find(({ options }) => options.gb === 1);
    expect(readme).toBe(withBenchmarks(readme, one));
  });

  test('every page and picture is what its JSON gives', async () => {
    const results = await readResults(RESULTS_FOLDER);
    const read = async (name: string): Promise<string> => await readFile(join(RESULTS_FOLDER, name), 'utf8');
    expect(await read('README.md')).toBe(overviewPage(results));
    for (const result of results) {
      const { gb } = result.options;
      expect(await read(`${gb}gb.md`)).toBe(resultPage(result, `${gb} GB`));
      expect(await read(`${gb}gb.svg`)).toBe(picture(result));
    }
  });
});

describe('README', () => {
  const page = async (): Promise<string> => withBenchmarks(await readFile(README, 'utf8'), undefined);
  const result = benchResult(1, [
    workResult('dump', toolResult('ours', 'ours', [10]), toolResult('pg-dump-gzip', 'peer', [27.46])),
  ]);

  test('gets its figures and the picture from the result, and can get them again', async () => {
    const text = await page();
    const written = withBenchmarks(text, result);
    expect(written).toContain('- dump: **2.7×** as fast as `pg_dump | gzip`\n');
    expect(written).toContain('(docs/benchmarks/1gb.svg)');
    expect(withBenchmarks(written, result)).toBe(written);
    expect(withBenchmarks(written, undefined)).toBe(text);
  });

  test('without its markers is left alone, with an error', () => {
    expect(() => withBenchmarks('# Something else', result)).toThrow('README.md has no part between');
  });
});
