import type { Clock } from '../clock.ts';
import { BackupError } from '../errors.ts';
import type { Log } from '../log.ts';
import { isAtWork, readActivity, type Backend } from '../postgres/backend-activity.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';

const LOOKS = 10;
/** One look connects anew; more often than this is of no use. */
const LONGEST_PAUSE_MS = 15_000;

export interface StallOptions {
  readonly connection: ConnectionOptions;
  readonly limitMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * Runs `work` with a signal that aborts with `STALLED` when for `limitMs` neither `moved` was called nor the server was seen at work for
 * us. While bytes move, the server is not asked. Throws what `work` throws, or that error.
 */
export async function withStallWatch<T>(
  { connection, limitMs, clock, log, signal }: StallOptions,
  work: (signal: AbortSignal, moved: () => void) => Promise<T>,
): Promise<T> {
  const stall = new AbortController();
  const pause = Math.min(limitMs / LOOKS, LONGEST_PAUSE_MS);
  let last = clock.monotonic();
  let before: readonly Backend[] | undefined;
  let hasMoved = true;
  let ended = false;
  let timer = setTimeout(tick, pause);
  try {
    return await work(AbortSignal.any([signal, stall.signal]), () => (hasMoved = true));
  } catch (error) {
    if (stall.signal.aborted && !signal.aborted) throw stall.signal.reason;
    throw error;
  } finally {
    ended = true;
    clearTimeout(timer);
  }

  function tick(): void {
    void look().then(() => {
      if (ended || stall.signal.aborted) return;
      const idle = clock.monotonic() - last;
      if (idle >= limitMs) stall.abort(stalled(idle, before));
      else timer = setTimeout(tick, pause);
    });
  }

  async function look(): Promise<void> {
    if (hasMoved) {
      hasMoved = false;
      before = undefined;
      last = clock.monotonic();
      return;
    }
    try {
      const now = await readActivity(connection, AbortSignal.timeout(Math.max(pause, 1000)));
      if (isAtWork(before, now)) last = clock.monotonic();
      before = now;
    } catch (error) {
      // Who cannot be asked is not seen at work.
      log.debug({ error: String(error) }, 'no byte moves, and the server could not be asked what it does');
    }
  }
}

function stalled(idleMs: number, backends: readonly Backend[] = []): BackupError {
  const waits = [
    ...new Set(backends.flatMap(({ waitType, waitEvent }) => (waitType === null ? [] : [`${waitType}/${waitEvent ?? ''}`]))),
  ];
  const where = waits.length === 0 ? '' : ` (its sessions wait: ${waits.join(', ')})`;
  return new BackupError(
    'STALLED',
    `for ${Math.round(idleMs / 1000)} s no byte came from the server, nor was it seen at work for this run${where}`,
    {
      hint: 'Look at the network between here and the server, and at the server itself: a stopped process, a full disk, a lock.',
      retryable: true,
    },
  );
}
