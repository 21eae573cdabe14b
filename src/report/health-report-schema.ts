import { HEALTH_REPORT_VERSION } from './health-report.ts';
import { error, listOf, measure as seconds, object, text, time } from './schema-pieces.ts';

const verdict = { enum: ['ok', 'warn', 'fail'] } as const;

export const checkSchema = object(
  { check: text, verdict, says: text },
  {
    object: { ...text, description: 'The target that was looked at.' },
    hint: { ...text, description: 'What to do; always there unless ok.' },
    unchecked: { const: true, description: 'It could not be looked at.' },
    code: { ...text, description: 'Of the error that makes it fail.' },
  },
);

/** JSON Schema of {@link HealthReport}, published as `docs/schemas/health-report.schema.json`. Unknown fields are allowed: reports only grow. */
export const healthReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one look at the health of a source and its backups',
  ...object(
    {
      reportVersion: { const: HEALTH_REPORT_VERSION },
      job: { const: 'health-check' },
      outcome: { enum: ['success', 'failure', 'aborted'] },
      exitStatus: { type: 'integer', minimum: 0, maximum: 255 },
      source: { ...text, description: 'Configured name of the source.' },
      startedAt: time,
      finishedAt: time,
      durationSeconds: seconds,
      state: { ...verdict, description: 'The worst of all checks.' },
      checks: listOf(checkSchema),
      versions: object({ dbBackup: text, node: text }),
    },
    { slot: { ...time, description: 'When the run was due; absent when it was not started by the schedule.' }, error },
  ),
} as const;
