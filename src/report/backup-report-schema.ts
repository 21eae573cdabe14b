import { REPORT_VERSION } from './backup-report.ts';
import { count, error, listOf, measure as seconds, object, runOf, slot, text, time, times } from './schema-pieces.ts';

const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;

/** JSON Schema of {@link BackupReport}, published as `docs/schemas/backup-report.schema.json`. Unknown fields are allowed: reports only grow. */
export const backupReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one run of the nightly backup',
  ...object(
    {
      ...runOf('nightly-backup', REPORT_VERSION),
      source: { ...text, description: 'Configured name of the source.' },
      ...times,
      phases: listOf(object({ name: text, outcome: { enum: ['done', 'failed'] }, seconds })),
      tables: listOf(object({ schema: text, name: text, rows: count, bytes: { ...count, description: 'Bytes of COPY text.' } })),
      targets: listOf(
        object(
          { target: text, state: { enum: ['stored', 'failed'] }, repaired: { type: 'boolean' } },
          { location: text, bytes: count, sha256, checkedBy: text, error },
        ),
      ),
      omitted: listOf(
        object({ kind: { enum: ['rows', 'large-objects', 'object'] }, object: text, reason: text }),
        'What the backup does not hold although the database does.',
      ),
      warnings: listOf(text),
      swept: listOf(text, 'What earlier, killed runs had left behind and this run removed.'),
      versions: object({ dbBackup: text, node: text }, { server: text, pgDump: text }),
    },
    {
      label: text,
      slot,
      sizes: object({ raw: count, file: count, toc: count }, { globals: count }, 'Bytes.'),
      codec: object({ name: { enum: ['gzip', 'zstd'] }, level: { anyOf: [{ type: 'integer', minimum: 1 }, { const: 'auto' }] } }),
      snapshot: object({ time, lsn: text }),
      rows: { ...count, description: 'Rows over all tables.' },
      error,
    },
  ),
} as const;
