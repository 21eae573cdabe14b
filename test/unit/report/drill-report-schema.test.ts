import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { drillReportSchema } from '../../../src/report/drill-report-schema.ts';

test('The published schema of drill reports is the one in the source (node scripts/generate-report-schema.ts)', async () => {
  const published = await readFile(new URL('../../../docs/schemas/drill-report.schema.json', import.meta.url), 'utf8');
  expect(published).toBe(`${JSON.stringify(drillReportSchema, null, 2)}\n`);
});
