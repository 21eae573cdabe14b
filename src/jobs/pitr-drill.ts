import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { runAssertions, type AssertionResult } from '../drill/assertions.ts';
import { noFindings, resultOf, type CheckResult } from '../drill/check.ts';
import { proveCommits, type CommitProof } from '../drill/commit-proof.ts';
import { microseconds } from '../drill/transaction-ends.ts';
import { CLEAN_UP, PITR_PROOFS, type PhaseName } from '../drill/verdict.ts';
import { BackupError, toBackupError, type ErrorCode } from '../errors.ts';
import { errorReport } from '../report/backup-report.ts';
import type { PitrDrillReport, RecoveryProof } from '../report/pitr-drill-report.ts';
import { chooseWindow, type RecoveryTarget } from '../wal/choose-window.ts';
import type { RecoverableWindow } from '../wal/recoverable.ts';
import { openDrillFolder, sweepDrillFolders, takeTurn, type DrillFolder } from './drill-area.ts';
import type { RestoreDrillParts } from './drill-parts.ts';
import { couldNotCheck, DrillRecord, findingOf } from './drill-record.ts';
import type { Job, JobContext, JobOutcome } from './job.ts';
import { checkDatabases, checkPages } from './pitr-drill-checks.ts';
import { concludePitrDrill } from './pitr-drill-conclude.ts';
import { rawBytesOf, recoverableWindows, type RecoverParts } from './plan-recovery.ts';
import { recoverApart, type RecoveredApart } from './recover-apart.ts';

/** Everything that the drill of point-in-time recovery works with. */
export interface PitrDrillParts extends Pick<
  RestoreDrillParts,
  | 'source'
  | 'reportName'
  | 'lock'
  | 'reports'
  | 'workFolder'
  | 'workers'
  | 'assertions'
  | 'allowed'
  | 'rpoMinutes'
  | 'rtoMinutes'
  | 'timeouts'
  | 'redact'
  | 'version'
  | 'watch'
> {
  /** Reading from where the drill reads. */
  readonly recovery: Omit<RecoverParts, 'log'>;
}

export interface PitrDrillRequest {
  /** Chooses the instant; a new one each time by default. */
  readonly seed?: string;
  /** This instant, and no random one. */
  readonly at?: string;
}

export interface PitrDrillOutcome extends JobOutcome {
  readonly summary: PitrDrillReport;
  readonly page?: string;
}

export interface PitrDrill extends Job {
  run(context: JobContext): Promise<PitrDrillOutcome>;
}

/** What a drill has come to know so far. */
export interface PitrKnowledge {
  seed: string;
  window?: PitrDrillReport['window'];
  instant?: RecoveryProof;
  newest?: RecoveryProof;
  assertions: readonly AssertionResult[];
  serverVersion?: string;
}

const OF_THE_INSTANT = ['commits', 'health', 'assertions', 'page checksums'] as const;
const PITR_PHASES = [...PITR_PROOFS, CLEAN_UP] as const;
export type PitrDrillRecord = DrillRecord<(typeof PITR_PHASES)[number]>;

/** Which of the limits of drills a phase has: recovering takes as long as restoring may. */
const LIMITED_AS = {
  ...{ choose: 'fetch', recover: 'restore', commits: 'equality', health: 'health', assertions: 'assertions' },
  ...{ 'page checksums': 'health', newest: 'restore', [CLEAN_UP]: CLEAN_UP },
} as const satisfies Readonly<Record<(typeof PITR_PHASES)[number], PhaseName>>;

/** Faults of this machine: they prove nothing about what is stored. */
const OF_THE_MACHINE: readonly ErrorCode[] = [
  ...(['CLIENT_PROGRAM_MISSING', 'SERVER_START_FAILED', 'STORAGE_FULL', 'STORAGE_UNAVAILABLE'] as const),
  ...(['LOCALE_MISSING', 'INTERNAL'] as const),
];

/** What is stored should recover: whatever keeps it from that is a failure, unless it is of this machine. */
async function judge(error: BackupError): Promise<CheckResult> {
  return OF_THE_MACHINE.includes(error.code) ? couldNotCheck(error) : { verdict: 'failed', findings: [findingOf(error)] };
}

/**
 * Recovers to a random instant of what is recoverable and proves that exactly what was committed before it is there; then to the newest, for
 * the recovery point and time that are achieved. A report always. One drill at a time, of whatever kind.
 */
export function createPitrDrill(parts: PitrDrillParts, request: PitrDrillRequest = {}): PitrDrill {
  return {
    name: 'pitr-drill',
    source: parts.source,
    async run(context) {
      const { clock, signal } = context;
      const startedAt = clock.now();
      const began = clock.monotonic();
      const known: PitrKnowledge = { seed: request.seed ?? randomBytes(6).toString('hex'), assertions: [] };
      const record: PitrDrillRecord = new DrillRecord({
        ...{ names: PITR_PHASES, clock, log: context.log, signal, judge },
        timeouts: Object.fromEntries(PITR_PHASES.map((name) => [name, parts.timeouts[LIMITED_AS[name]]])),
        limitOf: (name) => LIMITED_AS[name],
        before: async (name) => parts.watch?.phase?.(name),
      });
      let error: BackupError | undefined;
      let turn: Awaited<ReturnType<typeof takeTurn>> | undefined;
      try {
        turn = await takeTurn(parts.lock, startedAt);
        await sweepDrillFolders(parts.workFolder);
        const folder = await openDrillFolder(parts.workFolder);
        try {
          await drill(parts, request, context, folder, record, known);
        } finally {
          await record.phase(CLEAN_UP, () => cleanUp(folder));
        }
      } catch (thrown) {
        error = signal.aborted
          ? new BackupError('ABORTED', 'the drill was aborted; it has proven nothing', { cause: thrown })
          : toBackupError(thrown);
        record.skip(PITR_PROOFS, `the drill ended before: ${error.message}`);
      }
      try {
        const end = { startedAt, finishedAt: clock.now(), durationSeconds: Math.round(clock.monotonic() - began) / 1000 };
        return await concludePitrDrill(parts, context, { ...end, known, record, ...(error && { error: errorReport(error) }) });
      } finally {
        await turn?.release();
      }
    },
  };
}

async function drill(
  parts: PitrDrillParts,
  request: PitrDrillRequest,
  context: JobContext,
  folder: DrillFolder,
  record: PitrDrillRecord,
  known: PitrKnowledge,
): Promise<void> {
  const { clock } = context;
  const recovery: RecoverParts = { ...parts.recovery, log: context.log };
  // The proof reads the WAL once more.
  const walFolder = (target: 'time' | 'latest') => join(folder.path, `wal-${target}`);
  const to = (target: RecoveryTarget & { readonly kind: 'time' | 'latest' }, signal: AbortSignal) =>
    recoverApart(recovery, { target, folder: folder.path, keepWalIn: walFolder(target.kind), clock, signal });
  const chosen = await record.phase('choose', async (signal) => {
    const found = await recoverableWindows(recovery, {}, signal);
    const { at } = request;
    if (at === undefined) return { ...PASSED, ...chooseInstant(found.windows, known.seed) };
    return { ...PASSED, window: chooseWindow(found, { kind: 'time', time: at }), instant: at };
  });
  if (!chosen) {
    record.skip(PITR_PROOFS, 'there is no instant to recover to');
    return;
  }
  const { window, instant } = chosen;
  known.window = { base: window.base, from: window.fromTime, to: window.toTime! };

  const first = await record.phase('recover', async (signal) => ({
    ...PASSED,
    at: await to({ kind: 'time', time: instant }, signal),
  }));
  if (first) {
    try {
      known.serverVersion = first.at.programs.version;
      known.instant = proofOf(instant, first.at);
      const proof = await record.phase('commits', (signal) =>
        checkCommits(first.at, { folder, walFolder: walFolder('time') }, instant, signal),
      );
      if (proof) known.instant = { ...known.instant, commits: commitsReport(proof.proof) };
      await record.phase('health', (signal) => checkDatabases(first.at.connection, parts, signal));
      const { assertions: files, timeouts } = parts;
      const asserted = await record.phase('assertions', (signal) =>
        runAssertions({ connection: first.at.connection, folder: files, timeoutSeconds: timeouts.assertions / 1000, signal }),
      );
      known.assertions = asserted?.assertions ?? [];
      await record.phase('page checksums', (signal) => checkPages(first.at, signal));
    } finally {
      await first.at.server.stop();
    }
  } else record.skip(OF_THE_INSTANT, 'there is no recovered server');

  await record.phase('newest', async (signal) => {
    const at = await to({ kind: 'latest' }, signal);
    try {
      known.newest = proofOf('latest', at);
      const { proof, ...check } = await checkCommits(at, { folder, walFolder: walFolder('latest') }, undefined, signal);
      known.newest = { ...known.newest, commits: commitsReport(proof) };
      return check;
    } finally {
      await at.server.stop();
    }
  });
}

const PASSED = { verdict: 'passed', findings: [] } as const satisfies CheckResult;

/** An instant of one window, each as likely as it is long. Pure: the same seed, the same instant. */
export function chooseInstant(
  windows: readonly RecoverableWindow[],
  seed: string,
): { readonly window: RecoverableWindow; readonly instant: string } {
  const known = windows.filter(({ toTime }) => toTime !== undefined);
  if (known.length === 0) {
    throw new BackupError('RESTORE_REFUSED', 'there is no instant that can be recovered', {
      hint: 'It takes a physical backup (backup-manager create-backup --physical) and WAL behind it.',
    });
  }
  const spans = known.map(({ fromTime, toTime }) => Date.parse(toTime!) - Date.parse(fromTime));
  const total = spans.reduce((sum, span) => sum + span, 0);
  let left = (createHash('sha256').update(seed).digest().readUIntBE(0, 6) / 2 ** 48) * total;
  let index = 0;
  while (index < known.length - 1 && left >= spans[index]!) left -= spans[index++]!;
  const window = known[index]!;
  return { window, instant: new Date(Date.parse(window.fromTime) + Math.floor(left)).toISOString() };
}

/** `instant`: absent for the newest. Nothing may have been written to the server yet: numbers of transactions would be given out again. */
async function checkCommits(
  { connection, recovered, reached, programs }: RecoveredApart,
  { folder, walFolder }: { readonly folder: DrillFolder; readonly walFolder: string },
  instant: string | undefined,
  signal: AbortSignal,
): Promise<CheckResult & { readonly proof: CommitProof }> {
  const { manifest } = recovered.base;
  const proof = await proveCommits({
    ...{ program: programs.path('pg_waldump'), connection, walFolder, workFolder: folder.path, signal },
    segments: recovered.wal.filter((name) => !name.endsWith('.history')).map((name) => name.replace(/\.partial$/, '')),
    ...{ startLsn: manifest.startLsn, segmentBytes: manifest.segmentBytes },
    ...(instant !== undefined && { until: microseconds(instant) }),
  });
  const findings = noFindings();
  const hint = 'Keep this report, and do not rely on the archive: take a physical backup, and find out what is wrong.';
  for (const each of proof.missing) findings.failed.push({ object: each, message: 'it had committed, and is not there', hint });
  for (const each of proof.extra) findings.failed.push({ object: each, message: 'it is there, and must not be', hint });
  // It says so by itself: were one of the two to end too early, they would not agree.
  const replayed = reached.lastTransaction === undefined ? undefined : microseconds(reached.lastTransaction);
  if (replayed !== proof.last?.time) {
    const message = `the last transaction is of ${proof.last?.text ?? 'no time'} there, and of ${reached.lastTransaction ?? 'no time'} on the server`;
    findings.unsure.push({ object: 'WAL', message });
  }
  if (proof.present === 0 && instant === undefined)
    findings.unsure.push({ object: 'WAL', message: 'it has no transaction since the physical backup: nothing is proven by it' });
  if (instant !== undefined && !proof.next)
    findings.unsure.push({
      object: 'WAL',
      message: 'it has no transaction after the instant: that none is there proves nothing',
    });
  return { ...resultOf(findings), proof };
}

function proofOf(asked: string, { recovered, reached, seconds }: RecoveredApart): RecoveryProof {
  const { base, walRawBytes } = recovered;
  const rounded = { fetch: Math.round(seconds.fetch * 1000) / 1000, replay: Math.round(seconds.replay * 1000) / 1000 };
  return { asked, base: base.manifest.label, reached, seconds: rounded, bytes: { base: rawBytesOf(base), wal: walRawBytes } };
}

function commitsReport({ last, next, ...counts }: CommitProof): NonNullable<RecoveryProof['commits']> {
  const end = (of: NonNullable<CommitProof['last']>) => ({ xid: of.xid, lsn: of.lsn, time: of.text });
  return { ...counts, ...(last && { last: end(last) }), ...(next && { next: end(next) }) };
}

async function cleanUp(folder: DrillFolder): Promise<CheckResult> {
  await folder.remove();
  return PASSED;
}
