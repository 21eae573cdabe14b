import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { healthReportSchema } from '../../../src/report/health-report-schema.ts';
import { statusSchema } from '../../../src/report/source-status-schema.ts';

test.each([
  ['health-report', healthReportSchema],
  ['status', statusSchema],
])('The published schema %s is the one in the source (node scripts/generate-report-schema.ts)', async (name, schema) => {
  const published = await readFile(new URL(`../../../docs/schemas/${name}.schema.json`, import.meta.url), 'utf8');
  expect(JSON.parse(published)).toEqual(schema);
});
