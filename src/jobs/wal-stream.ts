import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { HealthCheck } from '../health/check.ts';
import type { Log } from '../log.ts';
import { withClient } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { identifyWalSource } from '../postgres/replication.ts';
import { replicationObstacle } from '../postgres/replication-obstacle.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport } from '../report/backup-report.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import { receiveWal } from '../wal/receiver.ts';
import { WalArchive } from '../wal/wal-archive.ts';
import { answered, attempted } from './attempted.ts';
import { claimArchive, claimFolder } from './claim-archive.ts';
import { incomingFolder } from './incoming-folder.ts';
import type { MayStreamParts } from './may-stream.ts';
import { sampleSource } from './wal-source.ts';
import { ANSWER_MS, giveUpSlot, NoSlotByItself, prepareSlot } from './wal-slot.ts';
import { StreamTurn } from './stream-turn.ts';
import { StreamWatch, type WatchLimits } from './wal-watch.ts';
import { keepStored } from './wal-store.ts';

export interface WalStreamParts extends Omit<MayStreamParts, 'folder'> {
  /** `auto`: only while it may by itself. */
  readonly enabled: boolean | 'auto';
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  /** The local one among them: WAL is received on its disk. */
  readonly spool?: DiskStorage;
  /** Where WAL is received when there is no local target. */
  readonly workFolder: string;
  readonly codec: CodecName;
  readonly level: number;
  /** How often the open segment is copied, and a look is taken at the source's clock. */
  readonly intervalMs: number;
  readonly limits: WatchLimits;
  /** Told of what is not well, and when it is well again. */
  readonly tell?: (checks: readonly HealthCheck[], context: WalStreamContext) => Promise<void>;
}

export interface WalStreamContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
  /** Told when it begins, and why when it is not meant to be at work. */
  readonly onTurn?: (on: true | string) => void;
  /** Told once after each beginning, when WAL has come: all of it before `lsn` is here. */
  readonly onArrival?: (lsn: string) => void;
}

/** Looking for finished segments. */
const PASS_MS = 500;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** How long each target has at the start to say whose archive it holds; one that does not answer says it later. */
const CLAIM_MS = 15_000;
/** How long a look waits for its own WAL. */
const PATIENCE_MS = 2000;

/**
 * Streams the source's WAL into the archive until the signal. Whatever fails is told and tried again, with growing pauses: the slot makes
 * the source keep what has not been fetched. Where it may not by itself, it says why and asks again, with growing pauses.
 */
export async function streamWal(parts: WalStreamParts, context: WalStreamContext): Promise<void> {
  const { signal, log } = context;
  const watch = new StreamWatch(parts, incomingFolder(parts), context);
  const turn = new StreamTurn(parts, watch, context);
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await turn.awaitOn();
      await streamOnce(parts, watch, context);
    } catch (error) {
      if (!isAborted(signal)) {
        const failure = toBackupError(error);
        log.error({ ...errorReport(failure), againInMs: pauseMs }, 'WAL cannot be streamed');
        await watch.failing(failure);
      }
    }
    if (!isAborted(signal)) await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  if (turn.isOn) await watch.stopped();
}

async function streamOnce(parts: WalStreamParts, watch: StreamWatch, context: WalStreamContext): Promise<void> {
  const { signal, log, clock } = context;
  const { connection, source, targets, spool, slot, intervalMs } = parts;
  const { origin, server } = await answered(
    async (own) => {
      const obstacle = await replicationObstacle(connection, slot, { tries: true, signal: own });
      if (obstacle) throw obstacle;
      const origin = await identifyWalSource(connection, own);
      return { origin, server: await withClient(connection, readServerFacts, { signal: own }) };
    },
    ANSWER_MS,
    signal,
  );
  const program = (await parts.findPrograms(server.major)).path('pg_receivewal');
  const folder = incomingFolder(parts);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await claimFolder(folder, origin);
  const claimed = await claimAll(parts, origin, signal);
  const openTargets = targets.filter((target) => target !== spool);
  const archive = new WalArchive({
    ...{ source, systemIdentifier: origin.systemIdentifier, segmentBytes: origin.segmentBytes, folder, targets, clock },
    ...{ openTargets, codec: parts.codec, level: parts.level },
  });
  await watch.follow(archive);
  // One that fails ends the others: they start again together.
  const failed = new AbortController();
  const ends = AbortSignal.any([signal, failed.signal]);
  const work = [
    receiveWal({
      ...{ program, connection, slot, folder, signal: ends },
      prepare: async (stalled) => {
        await watch.mayReceive(ends);
        const view = await prepareSlot(parts, { origin, folder, stalled }, log, ends).catch((error: unknown) => {
          // Whether it is to go on is decided anew.
          if (error instanceof NoSlotByItself) failed.abort();
          throw error;
        });
        return { synchronous: watch.receiving(view) };
      },
      holds: () => watch.holds,
      onGone: async (error) => {
        log.error(
          { ...errorReport(error) },
          'the source has given up WAL that was not fetched: there is a gap until the next physical backup',
        );
        await archive.setAside(ends);
        // By then the receiver has put it back to where its folder ended, where there is no WAL any more.
        await giveUpSlot(parts, ends);
      },
      onEnd: (error, pauseMs) => {
        log.warn({ ...errorReport(error), againInMs: pauseMs }, 'the stream of WAL broke off');
        watch.brokeOff(error);
      },
    }),
    ...targets.map(async (target) => {
      await keepStored({ archive, target, openEveryMs: openTargets.includes(target) ? intervalMs : undefined }, watch, {
        ...{ log, clock, signal: ends },
        prepare: async () => {
          if (!claimed.has(target)) await claimArchive(source, target, origin, ends);
          claimed.add(target);
        },
      });
    }),
    every(PASS_MS, ends, async () => {
      const done = await archive.tidy();
      if (done.length > 0) log.debug({ stored: done }, 'WAL stored');
    }),
    every(intervalMs, ends, async () => {
      // While the source does not answer there is nothing new to be told of it.
      const lookMs = Math.min(ANSWER_MS, parts.limits.stallMs);
      const isOurs = watch.receives;
      const sample = await attempted(async (own) => await sampleSource(parts, folder, PATIENCE_MS, own), lookMs, ends);
      await watch.look(sample, isOurs, ends);
    }),
  ];
  log.info({ slot, timeline: origin.timeline, systemIdentifier: origin.systemIdentifier, folder }, 'WAL is streamed');
  try {
    await Promise.all(work);
  } finally {
    failed.abort();
    await Promise.allSettled(work);
  }
  // What was received last is not left behind, if it goes quickly.
  const quick = AbortSignal.timeout(2000);
  await Promise.allSettled(targets.map(async (target) => await archive.store(target, quick)));
  await archive.tidy();
}

/** Those that say that they hold this server's WAL, or none; one that is out of reach is asked again before it is given any. */
async function claimAll(
  { source, targets }: WalStreamParts,
  origin: Parameters<typeof claimArchive>[2],
  signal: AbortSignal,
): Promise<Set<Storage>> {
  const claimed = new Set<Storage>();
  await Promise.all(
    targets.map(async (target) => {
      const failure = await attempted(async (own) => await claimArchive(source, target, origin, own), CLAIM_MS, signal);
      if (failure instanceof BackupError && failure.code === 'SOURCE_CHANGED') throw failure;
      if (!(failure instanceof BackupError)) claimed.add(target);
    }),
  );
  return claimed;
}

/** Asked anew after each wait. */
function isAborted({ aborted }: AbortSignal): boolean {
  return aborted;
}

async function every(ms: number, signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await run();
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}
