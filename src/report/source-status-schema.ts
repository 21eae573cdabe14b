import { checkSchema } from './health-report-schema.ts';
import { count, listOf, measure as minutes, object, text, time } from './schema-pieces.ts';
import { STATUS_VERSION } from './source-status.ts';

const mapOf = (values: object, description: string): object => ({ type: 'object', description, additionalProperties: values });

const last = object(
  { outcome: text, startedAt: time, exitStatus: count },
  { slot: time, label: text, report: text, message: { ...text, description: 'Why it was not a success.' } },
);

const source = object(
  {
    since: { ...time, description: 'Since when this source is known here.' },
    updatedAt: time,
    freshnessLimitMinutes: minutes,
    goodBackups: count,
    rpo: object(
      { targetMinutes: minutes },
      {
        scheduleMinutes: { ...minutes, description: 'Longest time between two runs of the schedule.' },
        minutes: { ...minutes, description: 'What a loss at askedAt would have cost.' },
      },
    ),
    rto: object({ targetMinutes: minutes }, { minutes: { ...minutes, description: 'What the newest proven drill measured.' } }),
    jobs: mapOf(object({}, { last, next: time }), 'By name of the job.'),
  },
  {
    askedAt: { ...time, description: 'When the targets were last asked.' },
    newestGood: object(
      {
        label: text,
        startedAt: time,
        state: { enum: ['complete', 'incomplete'] },
        targets: listOf(text, 'Those that hold it whole.'),
      },
      { snapshotAt: time, bytes: count },
    ),
    freshUntil: { ...time, description: 'Later, without a newer backup, this source is not healthy.' },
    newestProven: object({ label: text, provenAt: time, report: text }),
    recoverableSince: { ...time, description: "The oldest good backup's snapshot." },
    health: object({ state: { enum: ['ok', 'warn', 'fail'] }, checkedAt: time, checks: listOf(checkSchema) }),
    staleAfter: { ...time, description: 'Later, this must not be believed: the daemon has not looked when it should have.' },
  },
);

/** JSON Schema of `status.json`, published as `docs/schemas/status.schema.json`. Unknown fields are allowed: it only grows. */
export const statusSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'How things stand, for monitoring: status.json beside the reports',
  ...object({
    statusVersion: { const: STATUS_VERSION },
    writtenAt: time,
    version: text,
    sources: mapOf(source, 'By configured name.'),
  }),
} as const;
