import { CLEANUP_REPORT_VERSION } from './cleanup-report.ts';
import { count, error, listOf, measure as number, object, runOf, slot, text, time, times } from './schema-pieces.ts';

const reason = object({ rule: text, says: text });

const decision = object(
  {
    target: text,
    label: text,
    source: text,
    location: text,
    action: { enum: ['keep', 'remove'] },
    reasons: { ...listOf(reason), minItems: 1 },
  },
  {
    time: { ...time, description: 'Of the snapshot, by the manifest.' },
    bytes: { ...count, description: 'Of the dump file.' },
    result: {
      enum: ['removed', 'locked', 'pinned', 'failed'],
      description: 'Of what was to be removed: locked by the target, or pinned meanwhile, it stays.',
    },
    lockedUntil: time,
    legalHold: { const: true },
    oldVersionsStay: { const: true, description: 'The target keeps what was removed as old versions.' },
    error,
  },
);

const scrubbed = object(
  {
    label: text,
    location: text,
    verdict: { enum: ['passed', 'partly', 'damaged', 'unchecked'] },
    readBytes: count,
    problems: listOf(text),
  },
  { repairedFrom: { ...text, description: 'The target that it was mended from.' }, error },
);

/** JSON Schema of {@link CleanupReport}, published as `docs/schemas/cleanup-report.schema.json`. Unknown fields are allowed: reports only grow. */
export const cleanupReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one run of the weekly clean-up',
  ...object(
    {
      ...runOf('weekly-cleanup', CLEANUP_REPORT_VERSION),
      dryRun: { type: 'boolean' },
      ...times,
      sources: listOf(
        object({
          source: text,
          freshnessLimitHours: { ...number, description: 'While the newest good backup is older, nothing is removed.' },
          rules: listOf(
            object({ target: text, days: count, daily: count, weekly: count, monthly: count, yearly: count, minimum: count }),
          ),
        }),
      ),
      backups: listOf(decision, 'One for each backup on each target: what goes and what stays, with all reasons.'),
      blocks: listOf(
        object({ source: text, target: text, obstacle: text, says: text }),
        'Why nothing of a source was removed from a target.',
      ),
      unconfigured: listOf(text, 'Sources that have backups and are not configured: nothing of theirs is removed.'),
      removed: object({ copies: count, bytes: count }),
      swept: listOf(text, 'Incomplete uploads, temporary files and side files without a dump that were removed.'),
      reports: object({ kept: count, removed: listOf(object({ location: text, rule: text, says: text })) }),
      scrub: listOf(
        object(
          { target: text, budgetBytes: count, readBytes: count, checked: listOf(scrubbed), neverChecked: count },
          { oldestCheck: time, error },
        ),
        'What was re-read, by target.',
      ),
      warnings: listOf(text),
      versions: object({ dbBackup: text, node: text }),
    },
    {
      slot,
      error,
    },
  ),
} as const;
