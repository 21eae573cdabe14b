// Writes the schemas of reports below docs/schemas/ from those in the source; a test holds them equal.
import { writeFile } from 'node:fs/promises';
import { backupReportSchema } from '../src/report/backup-report-schema.ts';
import { baseReportSchema } from '../src/report/base-report.ts';
import { drillReportSchema } from '../src/report/drill-report-schema.ts';
import { healthReportSchema } from '../src/report/health-report-schema.ts';
import { pitrDrillReportSchema } from '../src/report/pitr-drill-report.ts';
import { statusSchema } from '../src/report/source-status-schema.ts';

const schemas = {
  'backup-report': backupReportSchema,
  'base-report': baseReportSchema,
  'drill-report': drillReportSchema,
  'health-report': healthReportSchema,
  'pitr-drill-report': pitrDrillReportSchema,
  status: statusSchema,
};

for (const [name, schema] of Object.entries(schemas)) {
  const file = new URL(`../docs/schemas/${name}.schema.json`, import.meta.url);
  await writeFile(file, `${JSON.stringify(schema, null, 2)}\n`);
}
