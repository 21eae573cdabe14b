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

/**
 * Runs the batches on `workers` threads; members go to the queue, results to `finished`. Resolves when all is copied. On the
 * first failure, or when `signal` aborts, every thread (and with it its connection) is gone before it rejects.
 */
export async function runCopies(
  batches: readonly (readonly CopyUnit[])[],
  workers: number,
  data: CopyWorkerData,
  queue: MemberQueue,
  finished: (result: CopyResult) => void,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...batches];
  const threads = Array.from({ length: Math.min(workers, batches.length) }, (_, lane) => ({
    lane,
    worker: new Worker(workerFile(), { workerData: data, name: `copy ${String(lane + 1)}` }),
  }));
  try {
    await Promise.all(threads.map(async ({ lane, worker }) => await drive(lane, worker, waiting, queue, finished, signal)));
  } finally {
    await Promise.all(threads.map(async ({ worker }) => await worker.terminate()));
  }
}

/** Feeds one thread until nothing is left to do. */
function drive(
  lane: number,
  worker: Worker,
  waiting: (readonly CopyUnit[])[],
  queue: MemberQueue,
  finished: (result: CopyResult) => void,
  signal: AbortSignal,
): Promise<void> {
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
    worker.on('exit', () => {
      signal.removeEventListener('abort', onAbort);
      if (given > 0) reject(new Error('a copy thread ended before its work'));
      else resolve();
    });
  });
}
