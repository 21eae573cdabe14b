import type { ErrorReport } from './backup-report.ts';
import type { AssertionReport, DrillPhase } from './drill-report.ts';
import { count, error, listOf, measure, object, text, time } from './schema-pieces.ts';

export const PITR_DRILL_REPORT_VERSION = 1;
/** How the names of its reports begin. */
export const PITR_DRILL_REPORT = 'pitr_drill';

/** `restore-tests/pitr_drill_<timestamp>.json`: what one drill of point-in-time recovery proved. */
export interface PitrDrillReport {
  readonly drill_timestamp: string;
  /** Of the recoveries and their proofs, not of the objectives. */
  readonly status: 'success' | 'failure' | 'inconclusive';
  /** From the last transaction that the newest recovery has to the beginning of the drill; null when it is not known. */
  readonly achieved_rpo_seconds: number | null;
  /** Of the newest recovery, from the first byte until the server was open; null when there was none. */
  readonly recovery_duration_minutes: number | null;
  /** False, too, when it could not be measured. */
  readonly rpo_compliant: boolean;
  readonly rto_compliant: boolean;
  readonly reportVersion: number;
  readonly job: 'pitr-drill';
  readonly exitStatus: number;
  readonly source: string;
  readonly slot?: string;
  readonly finishedAt: string;
  readonly durationSeconds: number;
  /** Chooses the instant: the same seed chooses the same of the same window. */
  readonly seed: string;
  readonly target: string;
  readonly window?: { readonly base: string; readonly from: string; readonly to: string };
  /** The recovery to the instant that was chosen, and the one to the newest. */
  readonly instant?: RecoveryProof;
  readonly newest?: RecoveryProof;
  readonly phases: readonly DrillPhase[];
  readonly assertions: readonly AssertionReport[];
  readonly objectives: { readonly rpoTargetMinutes: number; readonly rtoTargetMinutes: number };
  readonly error?: ErrorReport;
  readonly versions: { readonly dbBackup: string; readonly node: string; readonly server?: string };
}

export interface RecoveryProof {
  readonly asked: string;
  readonly base: string;
  readonly reached: { readonly lsn: string; readonly lastTransaction?: string; readonly timeline?: number };
  /** Fetching and checking; replaying until the server was open. */
  readonly seconds: { readonly fetch: number; readonly replay: number };
  /** As they are on the disk of the server. */
  readonly bytes: { readonly base: number; readonly wal: number };
  readonly commits?: CommitsReport;
}

export interface CommitsReport {
  /** Committed before the instant, each of them there. */
  readonly present: number;
  readonly rolledBack: number;
  /** Committed after it in the WAL that was read, none of them there. */
  readonly absent: number;
  readonly forgotten: number;
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly last?: TransactionReport;
  readonly next?: TransactionReport;
}

interface TransactionReport {
  readonly xid: number;
  readonly lsn: string;
  readonly time: string;
}

const transaction = object({ xid: count, lsn: text, time: text });
const proof = object(
  {
    ...{ asked: text, base: text },
    reached: object({ lsn: text }, { lastTransaction: time, timeline: count }),
    seconds: object({ fetch: measure, replay: measure }, {}, 'Fetching and checking; replaying until the server was open.'),
    bytes: object({ base: count, wal: count }),
  },
  {
    commits: object(
      { present: count, rolledBack: count, absent: count, forgotten: count, missing: listOf(text), extra: listOf(text) },
      { last: transaction, next: transaction },
      'What the WAL says had to be there or not, against the recovered server.',
    ),
  },
);
const verdict = { enum: ['passed', 'failed', 'inconclusive', 'skipped'] } as const;

/** JSON Schema of {@link PitrDrillReport}, published as `docs/schemas/pitr-drill-report.schema.json`. Unknown fields are allowed. */
export const pitrDrillReportSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Report of one drill of point-in-time recovery',
  ...object(
    {
      drill_timestamp: { ...time, description: 'When the drill began.' },
      status: { enum: ['success', 'failure', 'inconclusive'] },
      achieved_rpo_seconds: { type: ['number', 'null'], minimum: 0 },
      recovery_duration_minutes: { type: ['number', 'null'], minimum: 0 },
      rpo_compliant: { type: 'boolean' },
      rto_compliant: { type: 'boolean' },
      reportVersion: { const: PITR_DRILL_REPORT_VERSION },
      job: { const: 'pitr-drill' },
      exitStatus: { type: 'integer', minimum: 0, maximum: 255 },
      ...{ source: text, finishedAt: time, durationSeconds: measure, seed: text, target: text },
      phases: listOf(
        object({
          name: text,
          verdict,
          seconds: measure,
          findings: listOf(object({ object: text, message: text }, { hint: text })),
        }),
      ),
      assertions: listOf(object({ name: text, verdict }, { message: text })),
      objectives: object({ rpoTargetMinutes: count, rtoTargetMinutes: count }),
      versions: object({ dbBackup: text, node: text }, { server: text }),
    },
    { slot: time, window: object({ base: text, from: time, to: time }), instant: proof, newest: proof, error },
  ),
} as const;
