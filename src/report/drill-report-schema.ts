import { DRILL_REPORT_VERSION } from './drill-report.ts';
import { count, listOf, measure as seconds, object, text, time } from './schema-pieces.ts';

const minutes = { type: ['number', 'null'], minimum: 0 } as const;
const status = { enum: ['success', 'failure', 'inconclusive'] } as const;
const way = { enum: ['engine', 'plain'] } as const;

const finding = object({ object: text, message: text }, { hint: text });
const proof = object({ rows: count, digest: { type: 'string', pattern: '^[0-9a-f]{32}$' } });
const point = object({ label: text, time });
const worstCase = object({ minutes: seconds, from: point }, { to: point });

/** JSON Schema of a drill's report, published as `docs/schemas/drill-report.schema.json`. Unknown fields are allowed: reports only grow. */
export const drillReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one restore drill',
  ...object(
    {
      drill_timestamp: { ...time, description: 'When the drill began.' },
      backup_age_minutes: {
        ...minutes,
        description: 'From the snapshot of the backup to the beginning of the drill; null when it is not known.',
      },
      restore_duration_minutes: {
        ...minutes,
        description: 'Until the first query could be answered, with statistics in place; null when nothing was restored.',
      },
      rpo_compliant: { type: 'boolean', description: 'False, too, when it could not be measured.' },
      rto_compliant: { type: 'boolean', description: 'False, too, when it could not be measured.' },
      status: { ...status, description: 'Of restore and equality only. inconclusive: something could not be checked.' },
      worst_case: { anyOf: [worstCase, { type: 'null' }], description: 'The longest gap between good backups of the period.' },
      reportVersion: { const: DRILL_REPORT_VERSION },
      job: { const: 'restore-drill' },
      exitStatus: {
        type: 'integer',
        minimum: 0,
        maximum: 255,
        description: '0 proven and in time, 1 failure, 2 inconclusive, 3 proven but a target is missed, 130 aborted.',
      },
      source: { ...text, description: 'Configured name of the source.' },
      finishedAt: time,
      durationSeconds: seconds,
      phases: listOf(
        object({
          name: text,
          verdict: { enum: ['passed', 'failed', 'inconclusive', 'skipped'] },
          seconds,
          findings: listOf(finding),
        }),
      ),
      restores: listOf(
        object({ way, seconds, phases: listOf(object({ name: text, seconds })) }, { command: text }),
        'The way whose time counts first.',
      ),
      tables: listOf(
        object({ schema: text, name: text, expected: proof, equal: { type: 'boolean' } }, { found: proof }),
        'Expected by the manifest, found in the restored database.',
      ),
      assertions: listOf(
        object(
          { name: text, verdict: { enum: ['passed', 'failed', 'inconclusive'] } },
          { message: text, columns: listOf(text), rows: listOf(listOf({ type: ['string', 'null'] })), more: { type: 'boolean' } },
        ),
        "The user's own checks, by the names of their files.",
      ),
      compliance: object(
        {
          rpoTargetMinutes: count,
          rtoTargetMinutes: count,
          periodStart: time,
          worstCaseCompliant: { type: 'boolean' },
          hopeless: listOf(object({ target: { enum: ['rpo', 'rto'] }, message: text, remedy: text })),
          notes: listOf(text),
          forecast: object({ says: text, drills: count }, { bytesPerDay: { type: 'number' }, rtoMissedOn: time }),
        },
        { scheduleMinutes: seconds },
      ),
      trend: listOf(
        object(
          { drill_timestamp: time, status, backup_age_minutes: minutes, restore_duration_minutes: minutes },
          { way, rawBytes: count },
        ),
        'Drills up to and with this one, the oldest first.',
      ),
      warnings: listOf(text),
      swept: listOf(text),
      versions: object({ dbBackup: text, node: text }, { server: text }),
    },
    {
      slot: { ...time, description: 'When the drill was due; absent when it was not started by the schedule.' },
      backup: object({
        ...{ label: text, database: text, target: text, targetReason: text, location: text },
        snapshot: object({ time, lsn: text }),
        ...{ bytes: count, rawBytes: count, codec: { enum: ['gzip', 'zstd'] } },
        sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
        serverVersion: text,
      }),
      restoredInto: { ...text, description: 'The server, in words; absent when there was none.' },
      error: object({ code: text, message: text }, { hint: text }),
    },
  ),
} as const;
