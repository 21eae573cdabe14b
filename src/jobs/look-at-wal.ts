import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { usableBases } from '../base/chains.ts';
import { listBases } from '../base/list-bases.ts';
import type { Clock } from '../clock.ts';
import { absentAs, BackupError } from '../errors.ts';
import { checkBase, type BaseLook } from '../health/base.ts';
import type { HealthCheck } from '../health/check.ts';
import { checkRecoveryProof, type ProofInput } from '../health/proof.ts';
import { checkMayStream, checkReplication } from '../health/replication.ts';
import { checkWalStream, type StreamLimits } from '../health/wal-stream.ts';
import { lookAtReplication } from '../postgres/replication-obstacle.ts';
import { newestProof } from '../report/newest-proof.ts';
import { PITR_DRILL_REPORT } from '../report/pitr-drill-report.ts';
import type { ReportPlace } from '../report/report-file.ts';
import { readWal, recoverableFrom } from '../wal/read-wal.ts';
import { isStreamed, readStreamState } from '../wal/stream-state.ts';
import { attempted } from './attempted.ts';
import { CLAIM_FILE } from './claim-archive.ts';
import { mayStream, type MayStreamParts } from './may-stream.ts';

export interface WalHealthParts extends MayStreamParts {
  readonly enabled: boolean | 'auto';
  readonly limits: StreamLimits;
  /** How old the newest physical backup may be. */
  readonly baseLimitMs: number;
}

interface WalLook {
  /** Where the reports of drills are. */
  readonly drillReports: readonly ReportPlace[];
  /** How long each look may take. */
  readonly timeoutMs: number;
  /** Whether the server answers: where WAL is not streamed, nothing is said of one that does not. */
  readonly answers: boolean;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Everything that point-in-time recovery needs: whether the server allows it, how the stream stands, the physical backups, their proof. Throws only when aborted. */
export async function lookAtWal(
  parts: WalHealthParts,
  { drillReports, timeoutMs, answers, clock, signal }: WalLook,
): Promise<HealthCheck[]> {
  const { enabled, connection, slot, folder, limits, baseLimitMs } = parts;
  const isOn = await attempted(async () => await isStreamed(parts), timeoutMs, signal);
  if (isOn === false && !answers) return [];
  if (isOn === false && enabled === 'auto') return [checkMayStream(await mayStream(parts, timeoutMs, signal))];
  const look = await attempted(
    async (own) => await lookAtReplication(connection, slot, { tries: isOn !== false, signal: own }),
    timeoutMs,
    signal,
  );
  const { obstacle, limit = 'set' } = look instanceof BackupError ? { obstacle: look } : look;
  if (isOn === false) return [checkReplication(obstacle, { enabled: false, arrives: false })];
  const state = await attempted(async () => await readStreamState(folder), timeoutMs, signal);
  const now = clock.now();
  const stream = checkWalStream(state, limits, now);
  const arrives = stream[0]!.verdict !== 'fail' && state !== undefined;
  const bases = await attempted(async (own) => await lookAtBases(parts, own), timeoutMs, signal);
  const proof = await attempted(async (own) => await lookAtProof(parts, drillReports, now, own), timeoutMs, signal);
  return [
    ...[checkReplication(obstacle, { enabled: true, arrives, endangers: enabled === 'auto' && limit !== 'set' }), ...stream],
    ...[checkBase(bases, baseLimitMs, now), checkRecoveryProof(proof)],
  ];
}

async function lookAtProof(
  { source, folder }: WalHealthParts,
  reports: readonly ReportPlace[],
  now: Date,
  signal: AbortSignal,
): Promise<ProofInput> {
  // Written when the first WAL came.
  const claim = await absentAs(undefined, stat(join(folder, CLAIM_FILE)));
  return { newest: await newestProof(source, reports, signal, PITR_DRILL_REPORT), first: claim?.mtime, now };
}

/** From the newest physical backup on what can be recovered, and since when any instant can. */
export async function lookAtBases(
  { source, targets, folder }: Pick<WalHealthParts, 'source' | 'targets' | 'folder'>,
  signal: AbortSignal,
): Promise<BaseLook> {
  const { bases } = await listBases(targets, source, signal);
  const { usable } = usableBases(bases);
  const segmentBytes = usable[0]?.manifest.segmentBytes;
  if (segmentBytes === undefined) return {};
  const wal = await readWal({ targets, incoming: folder }, source, segmentBytes, signal);
  const { windows } = await recoverableFrom(
    usable.map(({ manifest }) => manifest),
    wal,
    { signal },
  );
  const [newest] = windows;
  if (!newest) return {};
  // Windows that reach as far as the newest one have no gap between them.
  const since = windows.filter(({ toLsn }) => toLsn === newest.toLsn).at(-1);
  return { window: newest, ...(since && { since: since.fromTime }) };
}
