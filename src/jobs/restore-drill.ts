import { runAssertions, type AssertionsResult } from '../drill/assertions.ts';
import type { CheckResult } from '../drill/check.ts';
import { checkHealth } from '../drill/index-health.ts';
import { preflightOnNamed } from '../drill/named-server.ts';
import { allowedBy, preflight, type DrillServer } from '../drill/preflight.ts';
import { PHASES, type PhaseName } from '../drill/verdict.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { DRILL_REPORT, readTrend } from '../report/drill-history.ts';
import type { TrendPoint } from '../report/drill-report.ts';
import type { RunContext } from '../restore/phases.ts';
import { openDrillFolder, sweepDrillFolders, takeTurn, type DrillFolder } from './drill-area.ts';
import { tryDamage } from './drill-control.ts';
import { conclude, type RestoreDrillOutcome } from './drill-conclude.ts';
import { fetchNewest, type DrillFetch } from './drill-fetch.ts';
import type { DrillRequest, RestoreDrillParts } from './drill-parts.ts';
import { makeEmptyCopy, ofEachWay, proveEquality, type DrillEquality } from './drill-proof.ts';
import { DrillRecord, findingOf, worst } from './drill-record.ts';
import { restoreEachWay, waysOf, type DrillRestore, type Restored, type Stage } from './drill-restore.ts';
import { openScratchServer } from './drill-scratch.ts';
import { readGlobals } from './drill-server.ts';
import { summarize } from './drill-summary.ts';
import { dueAt, type Job, type JobContext } from './job.ts';

export type { RestoreDrillOutcome } from './drill-conclude.ts';

export interface RestoreDrill extends Job {
  run(context: JobContext): Promise<RestoreDrillOutcome>;
}

/** What a drill has come to know so far. */
interface Knowledge {
  trend: readonly TrendPoint[];
  readonly warnings: string[];
  /** To be stopped in the end. */
  readonly servers: DrillServer[];
  swept: readonly string[];
  fetch?: DrillFetch | undefined;
  restore?: DrillRestore | undefined;
  equality?: DrillEquality | undefined;
  assertions?: AssertionsResult | undefined;
  serverVersion?: string;
  restoredInto?: string;
}

/**
 * Restores the newest backup into a throw-away server and proves that it equals what the source held: fetch, preflight, restore,
 * equality, health, assertions, negative control, clean-up; and a report always. One drill at a time.
 */
export function createRestoreDrill(parts: RestoreDrillParts, request: DrillRequest = {}): RestoreDrill {
  return {
    name: 'restore-drill',
    source: parts.source,
    async run(context) {
      const { clock, log, signal } = context;
      const startedAt = clock.now();
      const began = clock.monotonic();
      const { watch, timeouts, hooks } = parts;
      const known: Knowledge = { trend: [], warnings: [], servers: [], swept: [] };
      const record = new DrillRecord({
        ...{ names: PHASES, clock, log, signal, timeouts },
        before: async (name) => {
          watch?.phase?.(name);
          await hooks?.before?.(name, known.servers.at(-1));
        },
      });
      let error: BackupError | undefined;
      let turn: Awaited<ReturnType<typeof takeTurn>> | undefined;
      try {
        turn = await takeTurn(parts.lock, startedAt);
        known.trend = await readTrend(
          parts.source,
          parts.reports,
          warnInto(known, 'an earlier report of a drill could not be read'),
          signal,
        );
        await drill(parts, request, context, record, known);
      } catch (thrown) {
        error = signal.aborted ? abortion(signal) : toBackupError(thrown);
        const why = error.code === 'ABORTED' ? error.message : `the drill ended before: ${error.message}`;
        record.skip(['fetch', 'preflight', ...AFTER_PREFLIGHT, 'clean-up'], why);
      }
      try {
        const end = { startedAt, finishedAt: clock.now(), durationSeconds: (clock.monotonic() - began) / 1000 };
        const { fetch, restore, equality, assertions, serverVersion, restoredInto } = known;
        const summary = await summarize(parts, {
          ...{ ...known, ...end, record, error, slot: dueAt(context) },
          ...{ fetch, restore, equality, assertions, serverVersion, restoredInto },
        });
        return await conclude(parts, context, startedAt, summary);
      } finally {
        await turn?.release();
      }
    },
  };
}

const AFTER_RESTORE: readonly PhaseName[] = ['equality', 'health', 'assertions', 'negative control'];
const AFTER_PREFLIGHT: readonly PhaseName[] = ['restore', ...AFTER_RESTORE];

async function drill(
  parts: RestoreDrillParts,
  request: DrillRequest,
  context: JobContext,
  record: DrillRecord,
  known: Knowledge,
): Promise<void> {
  known.swept = [...(await sweepDrillFolders(parts.workFolder)), ...(await sweepReports(parts, context.clock.now(), known))];
  const folder = await openDrillFolder(parts.workFolder);
  try {
    known.fetch = await record.phase('fetch', (signal) => fetchNewest(parts, request, folder.path, signal));
    const chosen = known.fetch?.chosen;
    if (!chosen) {
      record.skip(['preflight', ...AFTER_PREFLIGHT], 'there is no backup to restore');
      return;
    }

    const checked = await record.phase('preflight', async (signal) => {
      const globals = await readGlobals(chosen, signal);
      const { manifest } = chosen;
      const { directories, allowed } = parts;
      const input = { manifest, directories, allowed, workFolder: folder.path, signal };
      if (parts.server) {
        const scratch = await openScratchServer(parts.server, signal);
        known.servers.push(scratch);
        known.swept = [...known.swept, ...scratch.swept];
        known.warnings.push(...scratch.warnings);
        return await preflightOnNamed(input, scratch);
      }
      const result = await preflight({ ...input, ...(globals !== undefined && { globals }) });
      if (result.ready) known.servers.push(result.ready.server);
      return result;
    });
    const ready = checked?.ready;
    if (!ready) {
      record.skip(AFTER_PREFLIGHT, 'there is no server to restore into');
      return;
    }
    known.serverVersion = ready.serverVersion;
    const { host, port } = ready.server.connection;
    known.restoredInto = ready.server.throwAway ? 'a throw-away server' : `the server on ${host}:${port} (drill.target)`;

    const stage: Stage = { ...ready, chosen, workers: parts.workers, folder: folder.path };
    await prove(parts, stage, waysOf(known.trend, request.thorough ?? false, ready.extensions.leftOut), context, record, known);
  } finally {
    await record.phase('clean-up', () => cleanUp(known.servers, folder));
  }
}

/** Restores, and looks at what became of it from every side: each phase on its own, whatever the one before found. */
async function prove(
  parts: RestoreDrillParts,
  stage: Stage,
  ways: Parameters<typeof restoreEachWay>[1],
  { log, clock }: JobContext,
  record: DrillRecord,
  known: Knowledge,
): Promise<void> {
  const { watch } = parts;
  const contextOf = (signal: AbortSignal): RunContext => ({
    ...{ signal, log, clock },
    onProgress: ({ bytes, totalBytes }) => {
      if (bytes !== undefined && totalBytes !== undefined) watch?.progress?.(bytes, totalBytes);
    },
  });
  known.restore = await record.phase('restore', (signal) => restoreEachWay(stage, ways, contextOf(signal)));
  const restored = known.restore?.restored ?? [];
  const last = restored.at(-1);
  if (!last) {
    record.skip(AFTER_RESTORE, 'there is no restored database');
    return;
  }
  const onProgress = watch?.progress?.bind(watch);
  let emptyCopy: ConnectionOptions | undefined;
  known.equality = await record.phase('equality', async (signal) => {
    emptyCopy = await makeEmptyCopy(stage, contextOf(signal));
    return await proveEquality(stage, restored, emptyCopy, contextOf(signal), onProgress);
  });
  const empty = emptyCopy;
  if (empty) {
    const jobs = parts.workers;
    const check = (signal: AbortSignal) =>
      overEach(restored, ({ connection }) =>
        checkHealth({ connection, emptyCopy: empty, jobs, allows: allowedBy(parts.allowed), signal }),
      );
    await record.phase('health', check);
  } else record.skip(['health'], 'there is no empty database to compare the state of definitions with');
  known.assertions = await record.phase('assertions', (signal) =>
    runAssertions({
      connection: restored[0]!.connection,
      folder: parts.assertions,
      timeoutSeconds: parts.timeouts.assertions / 1000,
      signal,
    }),
  );
  await record.phase('negative control', (signal) => tryDamage(stage, last, contextOf(signal)));
}

async function overEach(restored: readonly Restored[], check: (each: Restored) => Promise<CheckResult>): Promise<CheckResult> {
  const results: CheckResult[] = [];
  for (const each of restored) results.push(await check(each));
  return { verdict: worst(results.map(({ verdict }) => verdict)), findings: ofEachWay(restored, results) };
}

async function cleanUp(servers: readonly DrillServer[], folder: DrillFolder): Promise<CheckResult> {
  const findings: CheckResult['findings'][number][] = [];
  for (const remove of [...servers.map((server) => () => server.stop()), () => folder.remove()]) {
    try {
      await remove();
    } catch (error) {
      findings.push({ ...findingOf(toBackupError(error)), hint: `The next drill removes what is left in ${folder.path}.` });
    }
  }
  return { verdict: findings.length > 0 ? 'failed' : 'passed', findings };
}

/** What a drill that was killed in its last moment had written of its report. */
async function sweepReports({ reports }: RestoreDrillParts, before: Date, known: Knowledge): Promise<string[]> {
  // The others may be shared, and what is left there is swept with the backups.
  const [place] = reports;
  if (!place) return [];
  const { storage, prefix } = place;
  try {
    return (await storage.sweep(`${prefix}.${DRILL_REPORT}`, before)).map(({ key }) => storage.location(key));
  } catch (error) {
    warnInto(known, 'what is left of earlier reports could not be removed')(storage.name, toBackupError(error));
    return [];
  }
}

function warnInto({ warnings }: Knowledge, what: string) {
  return (where: string, error: BackupError) => void warnings.push(`${what} (${where}): ${error.message}`);
}

function abortion(signal: AbortSignal): BackupError {
  const reason: unknown = signal.reason;
  const why = reason instanceof BackupError ? reason.message : 'the drill was aborted';
  return new BackupError('ABORTED', `${why}; this drill has proven nothing`, {
    hint: 'Run it again: backup-manager monthly-drill',
    cause: reason,
  });
}
