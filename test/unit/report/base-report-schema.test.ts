import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { baseReportSchema } from '../../../src/report/base-report.ts';

test('The published schema of reports of physical backups is the one in the source (npm run docs:schemas)', async () => {
  const published = await readFile(new URL('../../../docs/schemas/base-report.schema.json', import.meta.url), 'utf8');
  expect(published).toBe(`${JSON.stringify(baseReportSchema, null, 2)}\n`);
});
