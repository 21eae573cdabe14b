import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { cleanupReportSchema } from '../../../src/report/cleanup-report-schema.ts';

test('The published schema of clean-up reports is the one in the source (node scripts/generate-cleanup-report-schema.ts)', async () => {
  const published = await readFile(new URL('../../../docs/schemas/cleanup-report.schema.json', import.meta.url), 'utf8');
  expect(published).toBe(`${JSON.stringify(cleanupReportSchema, null, 2)}\n`);
});
