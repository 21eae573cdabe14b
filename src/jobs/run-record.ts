import type { Omission } from '../catalog/manifest.ts';
import type { Clock } from '../clock.ts';
import type { DumpResult } from '../dump/dump.ts';
import type { BackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import {
  errorReport,
  redacted,
  REPORT_VERSION,
  type BackupReport,
  type PhaseReport,
  type TargetReport,
} from '../report/backup-report.ts';

/** What a phase tells the log about itself: counts, sizes, rates. */
export type PhaseFacts = Record<string, string | number | boolean | readonly string[] | undefined>;

/** Collects what a run does, phase by phase, and makes the report of it. */
export class RunRecord {
  readonly startedAt: Date;
  label: string | undefined;
  /** The dump that the targets took over. */
  dump: DumpResult | undefined;
  sideBytes: { readonly toc: number; readonly globals?: number } | undefined;
  dumpOutcome: 'complete' | 'incomplete' | undefined;
  targets: readonly TargetReport[] = [];
  omitted: readonly Omission[] = [];
  readonly warnings: string[] = [];
  swept: readonly string[] = [];
  serverVersion: string | undefined;
  pgDumpVersion: string | undefined;
  readonly #phases: PhaseReport[] = [];
  readonly #began: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onPhase: ((name: string) => void) | undefined;

  constructor(clock: Clock, log: Log, onPhase?: (name: string) => void) {
    this.#clock = clock;
    this.#log = log;
    this.#onPhase = onPhase;
    this.startedAt = clock.now();
    this.#began = clock.monotonic();
  }

  /** Runs one phase: timed, in the report, and one log line when it is done. */
  async phase<T>(
    name: string,
    run: () => Promise<T>,
    facts: (result: T, seconds: number) => PhaseFacts = () => ({}),
  ): Promise<T> {
    this.#onPhase?.(name);
    const began = this.#clock.monotonic();
    const seconds = () => rounded((this.#clock.monotonic() - began) / 1000);
    try {
      const result = await run();
      const took = seconds();
      this.#phases.push({ name, outcome: 'done', seconds: took });
      this.#log.info({ phase: name, label: this.label, seconds: took, ...facts(result, took) }, `${name} done`);
      return result;
    } catch (error) {
      this.#phases.push({ name, outcome: 'failed', seconds: seconds() });
      throw error;
    }
  }

  /** `redact` replaces secrets in what other programs said. */
  report(
    source: string,
    version: string,
    end: Pick<BackupReport, 'outcome' | 'exitStatus'> & {
      readonly slot: Date | undefined;
      readonly error: BackupError | undefined;
    },
    redact: (text: string) => string,
  ): BackupReport {
    const { dump } = this;
    return {
      reportVersion: REPORT_VERSION,
      job: 'nightly-backup',
      outcome: end.outcome,
      exitStatus: end.exitStatus,
      source,
      ...(this.label === undefined ? {} : { label: this.label }),
      ...(end.slot === undefined ? {} : { slot: end.slot.toISOString() }),
      startedAt: this.startedAt.toISOString(),
      finishedAt: this.#clock.now().toISOString(),
      durationSeconds: rounded((this.#clock.monotonic() - this.#began) / 1000),
      phases: this.#phases,
      ...(dump === undefined
        ? {}
        : {
            sizes: { raw: dump.file.rawBytes, file: dump.file.bytes, ...(this.sideBytes ?? { toc: 0 }) },
            codec: dump.codec,
            snapshot: dump.snapshot,
            rows: dump.tables.reduce((sum, table) => sum + table.rows, 0),
          }),
      tables: (dump?.tables ?? []).map(({ schema, name, rows, bytes }) => ({ schema, name, rows, bytes })),
      targets: this.targets.map(({ error, ...target }) => ({ ...target, ...(error && { error: redacted(error, redact) }) })),
      omitted: this.omitted,
      warnings: this.warnings.map(redact),
      swept: this.swept,
      ...(end.error === undefined ? {} : { error: redacted(errorReport(end.error), redact) }),
      versions: {
        dbBackup: version,
        node: process.versions.node,
        ...(this.serverVersion === undefined ? {} : { server: this.serverVersion }),
        ...(this.pgDumpVersion === undefined ? {} : { pgDump: this.pgDumpVersion }),
      },
    };
  }
}

function rounded(seconds: number): number {
  return Math.max(0, Math.round(seconds * 1000) / 1000);
}
