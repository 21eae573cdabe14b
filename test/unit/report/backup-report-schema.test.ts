import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { backupReportSchema } from '../../../src/report/backup-report-schema.ts';

test('The published schema of backup reports is the one in the source (node scripts/generate-report-schema.ts)', async () => {
  const published = await readFile(new URL('../../../docs/schemas/backup-report.schema.json', import.meta.url), 'utf8');
  expect(published).toBe(`${JSON.stringify(backupReportSchema, null, 2)}\n`);
});
