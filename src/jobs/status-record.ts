import { errorReport } from '../report/backup-report.ts';
import { toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { CheckReport } from '../report/health-report.ts';
import type { JobStatus, SourceStatus } from '../report/source-status.ts';
import type { StatusBoard } from '../report/status-file.ts';
import { standingOf, type Overview, type OverviewParts } from './overview.ts';

export interface StatusParts extends OverviewParts {
  /** Absent where there is no folder for it. */
  readonly board: StatusBoard | undefined;
  /** When each job of the source is due next, by its name; `undefined` when it never is again. */
  readonly nextRuns: (now: Date) => Promise<ReadonlyMap<string, Date | undefined>>;
  /** Until when the word of a health check is good: after its next run. */
  readonly staleAfter: (now: Date) => Date;
  /** Replaces every secret in a text. */
  readonly redact: (text: string) => string;
}

/** What is new. */
export interface StatusNews {
  readonly now: Date;
  readonly seen?: Overview | undefined;
  readonly health?: { readonly state: 'ok' | 'warn' | 'fail'; readonly checks: readonly CheckReport[] };
  /** The end of a run. */
  readonly ended?: { readonly job: string; readonly last: NonNullable<JobStatus['last']> };
}

/** Puts news into the status file. That it cannot be written fails nothing: whoever reads it sees that it is old. */
export async function recordStatus(parts: StatusParts, news: StatusNews, log: Log): Promise<void> {
  const { board } = parts;
  if (!board) return;
  try {
    const next = await parts.nextRuns(news.now);
    await board.update(parts.source, news.now, (before) => statusOf(parts, news, before, next));
  } catch (thrown) {
    log.error({ path: board.path, ...errorReport(toBackupError(thrown)) }, 'the status file could not be written');
  }
}

function statusOf(
  parts: StatusParts,
  { now, seen, health, ended }: StatusNews,
  before: SourceStatus | undefined,
  nextRuns: ReadonlyMap<string, Date | undefined>,
): SourceStatus {
  const jobs: Record<string, JobStatus> = {};
  for (const [job, next] of nextRuns) {
    const last = job === ended?.job ? ended.last : before?.jobs[job]?.last;
    jobs[job] = { ...(last && { last }), ...(next && { next: next.toISOString() }) };
  }
  const stale = health ? parts.staleAfter(now).toISOString() : before?.staleAfter;
  const at = now.toISOString();
  return {
    since: before?.since ?? at,
    updatedAt: at,
    ...standingOf(seen, parts.objectives, before),
    ...(health ? { health: { ...health, checkedAt: at } } : before?.health && { health: before.health }),
    ...(stale !== undefined && { staleAfter: stale }),
    jobs,
  };
}
