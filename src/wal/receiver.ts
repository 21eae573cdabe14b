import { setTimeout as sleep } from 'node:timers/promises';
import { toBackupError, type BackupError } from '../errors.ts';
import { libpqEnvironment, type ConnectionOptions } from '../postgres/connection.ts';
import { runProgram } from '../postgres/run-program.ts';

export interface ReceiverOptions {
  /** Path of `pg_receivewal`. */
  readonly program: string;
  readonly connection: ConnectionOptions;
  readonly slot: string;
  /** Where files of WAL are written; it must exist. */
  readonly folder: string;
  /** Called before each start; whatever it throws counts as a start that failed. `stalled`: the connection before may still be open there. */
  readonly prepare: (stalled: boolean) => Promise<ReceiverMode>;
  /** Asked after `prepare`: when it aborts, this run of the receiver ends, for the reason that it gives. */
  readonly holds: () => AbortSignal;
  /** The server does not have the WAL any more that comes next: what is in the folder must leave it, and it starts anew behind the gap. */
  readonly onGone: (error: BackupError) => Promise<void>;
  /** It ended, and starts again after `pauseMs`. */
  readonly onEnd: (error: BackupError, pauseMs: number) => void;
  readonly signal: AbortSignal;
}

export interface ReceiverMode {
  /**
   * Each message is made durable at once, and the server is told so: for commits that wait for it. It costs the source's machine a sixth of
   * its transactions where that one is busy ([ADR 24](../../docs/adr/0024-the-open-segment-is-synced-at-each-look.md)).
   */
  readonly synchronous: boolean;
}

/** A connection that is silent for so long is given up: a network that lost its other end tells nobody. */
const SILENCE_SECONDS = 30;
const KEEPALIVE =
  `keepalives_idle=10 keepalives_interval=5 keepalives_count=4 tcp_user_timeout=${String(SILENCE_SECONDS * 1000)}` as const;
const SYNCHRONOUS = ['--synchronous'];
/** Each second it tells the server up to where it has written, and at each segment that all is durable. */
const BY_THE_SECOND = ['--status-interval=1'];
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
/** `unexpected termination of replication stream: ERROR:  requested WAL segment … has already been removed`; the server's part in any language. */
const GONE = /replication[\s\S]*\b[0-9A-F]{24}\b/;
/** One that ran for so long was well: the next pause is short again. */
const WELL_MS = 60_000;

/**
 * Receives WAL until the signal: PostgreSQL's `pg_receivewal` as a child, started again whenever it ends. It makes WAL durable before it
 * tells the server so, and goes on where its folder ends.
 */
export async function receiveWal(options: ReceiverOptions): Promise<void> {
  const { program, connection, slot, folder, prepare, holds, onGone, onEnd, signal } = options;
  let stalled = false;
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted;) {
    const well = AbortSignal.timeout(WELL_MS);
    let held: AbortSignal | undefined;
    try {
      const { synchronous } = await prepare(stalled);
      stalled = false;
      held = holds();
      await runProgram(
        program,
        ['-D', folder, '-S', slot, ...(synchronous ? SYNCHRONOUS : BY_THE_SECOND), '--no-loop', '-w', '-d', KEEPALIVE],
        {
          // By this name the source knows whom its commits wait for, where they are to.
          env: { ...libpqEnvironment(connection), PGAPPNAME: slot },
          signal: AbortSignal.any([signal, held]),
        },
      );
    } catch (error) {
      if (isAborted(signal)) return;
      if (well.aborted) pauseMs = FIRST_PAUSE_MS;
      const failure = toBackupError(held?.aborted === true ? held.reason : error);
      if (failure === held?.reason) stalled = failure.code === 'STALLED';
      onEnd(failure, pauseMs);
      if (GONE.test(failure.message)) await onGone(failure);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Asked anew after each wait. */
function isAborted({ aborted }: AbortSignal): boolean {
  return aborted;
}
