// Writes docs/schemas/backup-report.schema.json from the schema in the source; a test holds the two equal.
import { writeFile } from 'node:fs/promises';
import { backupReportSchema } from '../src/report/backup-report-schema.ts';

const file = new URL('../docs/schemas/backup-report.schema.json', import.meta.url);
await writeFile(file, `${JSON.stringify(backupReportSchema, null, 2)}\n`);
