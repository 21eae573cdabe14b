// Writes docs/schemas/cleanup-report.schema.json from the schema in the source; a test holds the two equal.
import { writeFile } from 'node:fs/promises';
import { cleanupReportSchema } from '../src/report/cleanup-report-schema.ts';

const file = new URL('../docs/schemas/cleanup-report.schema.json', import.meta.url);
await writeFile(file, `${JSON.stringify(cleanupReportSchema, null, 2)}\n`);
