import type { Parts } from '../assemble.ts';
import { jobSchedules } from '../assemble/job-schedules.ts';
import type { Evidence } from '../jobs/evidence.ts';
import { chooseEntries, isPart, openIfThere } from '../report/ledger-blocks.ts';
import type { LedgerEntry } from '../report/ledger-entry.ts';
import { runHistory, type JobHistory } from '../report/run-history.ts';
import { timeText } from '../quantities.ts';
import { nextSlot, slotsBetween } from '../scheduler.ts';
import { tableLines } from './table.ts';

/**
 * What the ledger says of the runs of one source, or of all that is scheduled; nothing where there is none. Throws when it cannot be
 * read.
 */
export async function ledgerEntries(evidence: Evidence | undefined, source?: string): Promise<readonly LedgerEntry[]> {
  const file = evidence && (await openIfThere(evidence.ledger.path));
  if (!file) return [];
  const isOf = (entry: LedgerEntry) => entry.kind !== 'job' || entry.source === source;
  try {
    return (await chooseEntries(file, evidence.ledger.path, source === undefined ? (entry) => !isPart(entry) : isOf)).entries;
  } finally {
    await file.close();
  }
}

/** What has become of the scheduled jobs of a source, by the ledger. */
export async function jobHistories({ config, wal }: Parts, entries: readonly LedgerEntry[], now: Date): Promise<JobHistory[]> {
  const { schedule, source } = config;
  const expressions = await jobSchedules(config, wal);
  const { timeZone } = schedule;
  const schedules = Object.entries(expressions).map(([job, expression]) => ({ job, source: source.name, expression, timeZone }));
  return runHistory(entries, schedules, { now, nextSlot, slotsBetween, owedWithinMs: 0 });
}

/** For `--json`. */
export function jobValue({ schedule, last, lastSuccess, passedOver, next }: JobHistory): object {
  return {
    ...{ job: schedule.job, ...(last && { last }), ...(lastSuccess && { lastSuccess }) },
    ...(passedOver && { passedOver }),
    ...(next && { next: next.toISOString() }),
  };
}

/** Why the newest slot of a job had no run, if none has begun since. */
export function passedOverText({ passedOver }: JobHistory): string | undefined {
  if (!passedOver) return undefined;
  return `${timeText(passedOver.slot ?? passedOver.at)} was ${passedOver.state}: ${passedOver.why ?? 'the ledger does not say why'}`;
}

/** A line for each job: its last run, how that ended, the next one, and the slot that had none since. */
export function jobLines(histories: readonly JobHistory[]): string[] {
  const rows = histories.map((history) => {
    const { schedule, last, next } = history;
    return [
      schedule.job,
      last ? timeText(last.at) : 'never',
      last ? (last.result ?? last.state) : '-',
      next ? timeText(next) : 'never',
      passedOverText(history) ?? '',
    ];
  });
  return tableLines(['JOB', 'LAST RUN', 'OUTCOME', 'NEXT (if the daemon runs)', ''], rows).map((line) => `  ${line}`);
}
