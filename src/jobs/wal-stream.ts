import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readObject } from '../catalog/catalog.ts';
import { walFolder } from '../catalog/wal-names.ts';
import type { Clock } from '../clock.ts';
import type { CodecName } from '../codec/codec.ts';
import { BackupError, toBackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { createSlot, identifyWalSource, readSlot, sampleWal, type WalSource } from '../postgres/replication.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { errorReport } from '../report/backup-report.ts';
import { bytesContent } from '../storage/content.ts';
import type { DiskStorage } from '../storage/disk.ts';
import type { Storage } from '../storage/storage.ts';
import { receiveWal } from '../wal/receiver.ts';
import { WalArchive } from '../wal/wal-archive.ts';

export interface WalStreamParts {
  /** Configured name of the source. */
  readonly source: string;
  readonly connection: ConnectionOptions;
  readonly findPrograms: (serverMajor: number) => Promise<ClientPrograms>;
  readonly targets: readonly Storage[];
  /** The local one among them: WAL is received on its disk. */
  readonly spool?: DiskStorage;
  /** Where WAL is received when there is no local target. */
  readonly workFolder: string;
  readonly slot: string;
  readonly codec: CodecName;
  readonly level: number;
  /** How often the open segment is copied, and a look is taken at the source's clock. */
  readonly intervalMs: number;
}

export interface WalStreamContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly clock: Clock;
}

/** Looking for finished segments. */
const PASS_MS = 500;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** The same failure is told again after so long. */
const TOLD_AGAIN_MS = 10 * 60_000;

/**
 * Streams the source's WAL into the archive until the signal. Whatever fails is told and tried again, with growing pauses: the slot makes
 * the source keep what has not been fetched.
 */
export async function streamWal(parts: WalStreamParts, context: WalStreamContext): Promise<void> {
  const { signal, log } = context;
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await streamOnce(parts, context);
      return;
    } catch (error) {
      if (isAborted(signal)) return;
      log.error({ ...errorReport(toBackupError(error)), againInMs: pauseMs }, 'WAL cannot be streamed');
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function streamOnce(parts: WalStreamParts, { signal, log, clock }: WalStreamContext): Promise<void> {
  const { connection, source, targets, spool, slot } = parts;
  const origin = await identifyWalSource(connection, signal);
  const server = await withClient(connection, readServerFacts, { signal });
  const program = (await parts.findPrograms(server.major)).path('pg_receivewal');
  await claimArchive(parts, origin, signal);
  const folder = incomingFolder(parts);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const told = new Map<string, number>();
  const archive = new WalArchive({
    ...{ source, systemIdentifier: origin.systemIdentifier, segmentBytes: origin.segmentBytes, folder, targets, clock },
    ...{ openTargets: targets.filter((target) => target !== spool), codec: parts.codec, level: parts.level },
    onFailure: (target, file, error) => {
      const now = clock.monotonic();
      const last = told.get(target);
      if (last !== undefined && now - last < TOLD_AGAIN_MS) return;
      told.set(target, now);
      log.warn({ target, file, ...errorReport(error) }, 'WAL is not stored on a target yet; it is kept and tried again');
    },
  });
  // One that fails ends the others: they start again together.
  const failed = new AbortController();
  const ends = AbortSignal.any([signal, failed.signal]);
  const work = [
    receiveWal({
      ...{ program, connection, slot, folder, signal: ends },
      prepare: () => prepareSlot(parts, origin, log, ends),
      onGone: async (error) => {
        log.error(
          { ...errorReport(error) },
          'the source has given up WAL that was not fetched: there is a gap until the next physical backup',
        );
        await archive.setAside(ends);
      },
      onEnd: (error, pauseMs) => log.warn({ ...errorReport(error), againInMs: pauseMs }, 'the stream of WAL broke off'),
    }),
    every(PASS_MS, ends, async () => {
      const { done, waiting } = await archive.pass(ends);
      if (done.length > 0) log.debug({ stored: done, waiting: Object.fromEntries(waiting) }, 'WAL stored');
      for (const { name } of targets) if (!waiting.has(name)) told.delete(name);
    }),
    every(parts.intervalMs, ends, async () => {
      // While the source does not answer there is nothing new to be told of it.
      const moment = await withClient(connection, (client) => sampleWal(client, true), { signal: ends }).catch(
        (error: unknown) => {
          ends.throwIfAborted();
          log.debug({ ...errorReport(toBackupError(error)) }, 'the source does not say where its WAL is');
          return undefined;
        },
      );
      if (moment) await archive.note(moment);
      await archive.copyOpenSegment(ends);
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
  await archive.pass(AbortSignal.timeout(2000)).catch(() => undefined);
}

/** Where the receiver writes. */
export function incomingFolder({ spool, workFolder, source }: Pick<WalStreamParts, 'spool' | 'workFolder' | 'source'>): string {
  return join(spool?.root ?? join(workFolder, 'db-backup-wal'), walFolder(source), 'incoming');
}

/** The slot is made when it is missing; that WAL was lost with it is told, and shows as a gap until the next physical backup. */
async function prepareSlot(
  { connection, slot }: WalStreamParts,
  origin: WalSource,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const now = await identifyWalSource(connection, signal);
  if (now.systemIdentifier !== origin.systemIdentifier) throw anotherServer(origin.systemIdentifier, now.systemIdentifier);
  await withClient(
    connection,
    async (client) => {
      const state = await readSlot(client, slot);
      if (state && state.walStatus !== 'lost') return;
      if (state) {
        log.error(
          { slot },
          'the server has given up WAL that was not fetched yet: there is a gap until the next physical backup',
        );
        await client.query('SELECT pg_catalog.pg_drop_replication_slot($1)', [slot]);
      }
      await createSlot(client, slot);
      log.info({ slot }, 'the replication slot was made; from here on the source keeps its WAL until it is fetched');
    },
    { signal },
  );
}

/** The first server that is streamed into an archive owns it: never two histories in one. */
async function claimArchive({ source, targets }: WalStreamParts, origin: WalSource, signal: AbortSignal): Promise<void> {
  const key = `${walFolder(source)}archive.json`;
  const claim = { systemIdentifier: origin.systemIdentifier, segmentBytes: origin.segmentBytes };
  for (const target of targets) {
    if ((await target.head(key, signal)) === undefined) {
      await target.put(key, bytesContent(Buffer.from(`${JSON.stringify(claim, null, 2)}\n`)), signal);
      continue;
    }
    const found = JSON.parse((await readObject(target, key, signal)).toString('utf8')) as Partial<typeof claim>;
    if (found.systemIdentifier !== origin.systemIdentifier) {
      throw anotherServer(String(found.systemIdentifier), origin.systemIdentifier);
    }
  }
}

function anotherServer(expected: string, found: string): BackupError {
  return new BackupError('SOURCE_CHANGED', `this is another server (${found}) than the one whose WAL is archived (${expected})`, {
    hint: 'Its WAL does not continue the archive. If the change was meant, give the new server a source name of its own (BACKUP_SOURCE_NAME).',
  });
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
