import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { EXIT_STATUS } from '../../../src/errors.ts';

test('docs/cli.md lists every code under its exit status', async () => {
  const text = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const table = text.slice(text.indexOf('<!-- exit statuses'));
  const listed = [...table.matchAll(/^\| (\d+) \| (.*) \|$/gm)].flatMap(([, status, codes]) =>
    codes!.split(', ').map((code) => [code.replaceAll('`', ''), Number(status)] as const),
  );
  expect(Object.fromEntries(listed)).toEqual(EXIT_STATUS);
  expect(listed).toHaveLength(Object.keys(EXIT_STATUS).length);
});
