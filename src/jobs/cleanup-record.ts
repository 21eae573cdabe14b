import type { Listing } from '../catalog/catalog.ts';
import type { Clock } from '../clock.ts';
import { BackupError } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import {
  CLEANUP_REPORT_VERSION,
  type CleanupReport,
  type DecisionReport,
  type ReportsReport,
  type ScrubReport,
} from '../report/cleanup-report.ts';
import type { Decision, RetentionPlan } from '../retention/plan.ts';
import type { WeeklyCleanupParts } from './cleanup-parts.ts';
import type { RemovalResult } from './remove-expired.ts';

/** Collects what a clean-up finds and does, and makes the report of it. */
export class CleanupRecord {
  readonly startedAt: Date;
  plan: RetentionPlan = { decisions: [], blocks: [], unconfigured: [] };
  listing: Listing | undefined;
  swept: readonly string[] = [];
  reports: ReportsReport = { kept: 0, removed: [] };
  scrub: ScrubReport[] = [];
  readonly warnings: string[] = [];
  readonly #results = new Map<Decision, RemovalResult>();
  readonly #clock: Clock;
  readonly #began: number;
  readonly #dryRun: boolean;

  constructor(clock: Clock, dryRun: boolean) {
    this.#clock = clock;
    this.#dryRun = dryRun;
    this.startedAt = clock.now();
    this.#began = clock.monotonic();
  }

  removal(decision: Decision, result: RemovalResult): void {
    this.#results.set(decision, result);
  }

  /** Why a run that did not fail did not do all that it should have. */
  shortfall(): BackupError | undefined {
    const failed = this.#backups(new Map()).filter(({ result }) => result === 'failed');
    const scrubbed = this.scrub.flatMap(({ target, checked }) => checked.map((copy) => ({ target, ...copy })));
    const damaged = scrubbed.filter(({ verdict, repairedFrom }) => verdict === 'damaged' && repairedFrom === undefined);
    const unchecked = scrubbed.filter(({ verdict }) => verdict === 'unchecked');
    const names = (copies: readonly { readonly label: string; readonly target: string }[]) =>
      copies.map(({ label, target }) => `${label} on ${target}`).join(', ');
    if (damaged.length > 0) {
      return new BackupError('BACKUP_DAMAGED', `damaged, and not to be mended from another target: ${names(damaged)}`, {
        hint: 'Keep it: what is not damaged in it can still be restored. Make a new backup, and check the disk or bucket.',
      });
    }
    const reasons = [
      ...this.plan.blocks.map(({ source, target, says }) => `nothing of ${source} was removed from ${target}: ${says}`),
      ...(failed.length > 0 ? [`not removed: ${names(failed)} (${failed[0]!.error?.message ?? ''})`] : []),
      ...(unchecked.length > 0 ? [`not re-read: ${names(unchecked)} (${unchecked[0]!.error?.message ?? ''})`] : []),
      ...scrubbed.flatMap(({ label, target, repairedFrom }) =>
        repairedFrom === undefined ? [] : [`${label} on ${target} was damaged, and is mended from ${repairedFrom}`],
      ),
      ...this.warnings,
    ];
    if (reasons.length === 0) return undefined;
    return new BackupError(
      'BACKUP_INCOMPLETE',
      `the clean-up did not do all, or found what should be looked at: ${reasons.join('; ')}`,
      {
        hint: 'What is named is still there. `backup-manager status` shows whether backups arrive; `backup-manager cleanup` tries again.',
      },
    );
  }

  report(parts: WeeklyCleanupParts, slot: Date | undefined, error: BackupError | undefined): CleanupReport {
    const { redact, version } = parts;
    const clean = (failure: ReturnType<typeof errorReport>) => ({
      ...failure,
      message: redact(failure.message),
      ...(failure.hint !== undefined && { hint: redact(failure.hint) }),
    });
    const backups = this.#backups(new Map(parts.targets.map((target) => [target.name, target.location.bind(target)])));
    const removed = backups.filter(({ result }) => result === 'removed');
    return {
      reportVersion: CLEANUP_REPORT_VERSION,
      job: 'weekly-cleanup',
      outcome: outcomeOf(error),
      exitStatus: error?.exitStatus ?? 0,
      dryRun: this.#dryRun,
      ...(slot && { slot: slot.toISOString() }),
      startedAt: this.startedAt.toISOString(),
      finishedAt: this.#clock.now().toISOString(),
      durationSeconds: Math.max(0, Math.round(this.#clock.monotonic() - this.#began) / 1000),
      sources: parts.sources.map(({ name, freshnessLimitMs, rules }) => ({
        source: name,
        freshnessLimitHours: Math.round(freshnessLimitMs / 36_000) / 100,
        rules: [...rules].map(([target, each]) => ({ target, ...each })),
      })),
      backups: backups.map((each) => ({ ...each, ...(each.error && { error: clean(each.error) }) })),
      blocks: this.plan.blocks.map((block) => ({ ...block, says: redact(block.says) })),
      unconfigured: this.plan.unconfigured,
      removed: { copies: removed.length, bytes: removed.reduce((sum, { bytes = 0 }) => sum + bytes, 0) },
      swept: this.swept,
      reports: this.reports,
      scrub: this.scrub.map((each) => ({ ...each, ...(each.error && { error: clean(each.error) }) })),
      warnings: this.warnings.map(redact),
      ...(error && { error: clean(errorReport(error)) }),
      versions: { dbBackup: version, node: process.versions.node },
    };
  }

  #backups(locations: ReadonlyMap<string, (key: string) => string>): DecisionReport[] {
    const copies = new Map(this.listing?.backups.map((backup) => [backup.key, backup.copies]) ?? []);
    return this.plan.decisions.map((decision) => {
      const { target, label, source, key, time, action, reasons } = decision;
      const bytes = copies.get(key)?.find((copy) => copy.target === target)?.bytes;
      return {
        ...{ target, label, source, location: locations.get(target)?.(key) ?? key },
        ...(time !== undefined && { time: new Date(time).toISOString() }),
        ...(bytes !== undefined && { bytes }),
        ...{ action, reasons },
        ...this.#results.get(decision),
      };
    });
  }
}

function outcomeOf(error: BackupError | undefined): CleanupReport['outcome'] {
  if (error === undefined) return 'success';
  if (error.code === 'ABORTED') return 'aborted';
  return error.code === 'BACKUP_INCOMPLETE' ? 'incomplete' : 'failure';
}
