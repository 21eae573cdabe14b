import type { ErrorReport } from './backup-report.ts';
import { count, error, listOf, object, runOf, slot, text, times } from './schema-pieces.ts';

const REPORT_VERSION = 1;

/** `logs/base_report_<timestamp>.json`: one run of the physical backup. */
export interface BaseReport {
  readonly reportVersion: number;
  readonly job: 'base-backup';
  readonly outcome: 'success' | 'incomplete' | 'failure' | 'aborted';
  readonly exitStatus: number;
  readonly source: string;
  readonly slot?: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  /** Absent when no backup was completed. */
  readonly label?: string;
  readonly rawBytes?: number;
  readonly bytes?: number;
  readonly startLsn?: string;
  readonly endLsn?: string;
  /** Of an incremental backup: the one that it builds on. */
  readonly parent?: string;
  /** Of a full one: why it is not an incremental one. */
  readonly fullBecause?: string;
  readonly targets: readonly { readonly target: string; readonly state: 'stored' | 'failed' }[];
  /** Old backups and segments of WAL that were removed afterwards. */
  readonly expired: { readonly bases: readonly string[]; readonly segments: number };
  readonly warnings: readonly string[];
  readonly error?: ErrorReport;
  readonly versions: { readonly dbBackup: string; readonly node: string };
}

export const BASE_REPORT_VERSION = REPORT_VERSION;

/** JSON Schema of {@link BaseReport}, published as `docs/schemas/base-report.schema.json`. Unknown fields are allowed: reports only grow. */
export const baseReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one run of the physical backup',
  ...object(
    {
      ...runOf('base-backup', REPORT_VERSION),
      source: { ...text, description: 'Configured name of the source.' },
      ...times,
      targets: listOf(object({ target: text, state: { enum: ['stored', 'failed'] } })),
      expired: object({ bases: listOf(text), segments: count }, {}, 'What the retention removed afterwards.'),
      warnings: listOf(text),
      versions: object({ dbBackup: text, node: text }),
    },
    {
      slot,
      ...{ label: text, rawBytes: count, bytes: count, startLsn: text, endLsn: text, error },
      parent: { ...text, description: 'Of an incremental backup: the one that it builds on.' },
      fullBecause: { ...text, description: 'Of a full one: why it is not an incremental one.' },
    },
  ),
} as const;
