import { Worker } from 'node:worker_threads';
import { CopyFailure } from './copy-failure.ts';
import type { CopyResult, CopyUnit } from './copy-unit.ts';
import type { CopyWorkerData, FromCopyWorker, ToCopyWorker } from './copy-worker.ts';
import type { MemberQueue } from './member-queue.ts';

/** Batches given to a worker ahead of time, so that it never waits for the next one. */
const AHEAD = 2;

/** The workers' file has its own name in the build. */
function workerFile(): URL {
  return new URL(`./copy-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

interface CopyThread {
  readonly lane: number;
  readonly worker: Worker;
  /** Why it is of no use any more. */
  broken?: Error;
}

/** Threads that read rows. They load while the leader takes its locks. */
export interface CopyThreads {
  /**
   * Runs the batches in `snapshot`; members go to the queue, results to `finished`. Resolves when all is copied. On the first
   * failure, or when `signal` aborts, every thread (and with it its connection) is gone before it rejects.
   */
  run(
    batches: readonly (readonly CopyUnit[])[],
    snapshot: string,
    queue: MemberQueue,
    finished: (result: CopyResult) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Ends them all; to be called in any case. */
  stop(): Promise<void>;
}

export function startCopyThreads(workers: number, data: CopyWorkerData): CopyThreads {
  const threads = Array.from({ length: workers }, (_, lane): CopyThread => {
    const worker = new Worker(workerFile(), { workerData: data, name: `copy ${String(lane + 1)}` });
    const thread: CopyThread = { lane, worker };
    worker.on('error', (error: unknown) => {
      thread.broken ??= error as Error;
    });
    worker.on('exit', () => {
      thread.broken ??= new Error('a copy thread ended before its work');
    });
    return thread;
  });
  const stop = async (): Promise<void> => {
    await Promise.all(threads.map(async ({ worker }) => await worker.terminate()));
  };
  return {
    stop,
    async run(batches, snapshot, queue, finished, signal) {
      const waiting = [...batches];
      try {
        await Promise.all(
          threads.slice(0, batches.length).map(async (thread) => {
            await drive(thread, snapshot, waiting, queue, finished, signal);
          }),
        );
      } finally {
        await stop();
      }
    },
  };
}

/** Feeds one thread until nothing is left to do. */
function drive(
  thread: CopyThread,
  snapshot: string,
  waiting: (readonly CopyUnit[])[],
  queue: MemberQueue,
  finished: (result: CopyResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const { lane, worker } = thread;
  return new Promise((resolve, reject) => {
    let given = 0;
    const say = (message: ToCopyWorker): void => {
      worker.postMessage(message);
    };
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    const feed = (): void => {
      for (let units = given < AHEAD ? waiting.shift() : undefined; units; units = given < AHEAD ? waiting.shift() : undefined) {
        given += 1;
        say({ kind: 'copy', units });
      }
      if (given === 0) say({ kind: 'close' });
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    worker.on('message', (message: FromCopyWorker) => {
      if (message.kind === 'member') {
        queue.push(lane, message.member, () => {
          say({ kind: 'accepted' });
        });
      } else if (message.kind === 'failed') {
        reject(new CopyFailure(message.message, message.sqlState));
      } else {
        if (message.kind === 'copied') {
          given -= 1;
          message.results.forEach(finished);
        }
        feed();
      }
    });
    worker.on('error', reject);
    if (thread.broken !== undefined) reject(thread.broken);
    say({ kind: 'enter', snapshot });
    worker.on('exit', () => {
      signal.removeEventListener('abort', onAbort);
      if (given > 0) reject(new Error('a copy thread ended before its work'));
      else resolve();
    });
  });
}
