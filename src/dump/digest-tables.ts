import { Worker } from 'node:worker_threads';
import type { TableEntry } from '../catalog/manifest.ts';
import type { TableDigest } from '../catalog/table-digest.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import { BackupError } from '../errors.ts';
import { quoteIdentifier, type ConnectionOptions } from '../postgres/connection.ts';
import { readServerFacts } from '../postgres/server-facts.ts';
import { openCopySession } from './copy-session.ts';
import type { CopyUnit } from './copy-unit.ts';
import type { DigestWorkerData, FromDigestWorker, ToDigestWorker } from './digest-worker.ts';
import { planCopies } from './plan.ts';
import { readNaming, readTables, type SourceTable } from './tables.ts';

export interface DigestOptions {
  /** The database to look at. */
  readonly connection: ConnectionOptions;
  /** Which tables, and which of their columns in which order. */
  readonly tables: readonly Pick<TableEntry, 'schema' | 'name' | 'columns'>[];
  /** Encoding of the rows that the digests are to be compared with; by default that of the database. */
  readonly encoding?: string;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly bytes: number; readonly estimatedBytes: number }) => void;
}

/** The workers' file has its own name in the build. */
function workerFile(): URL {
  return new URL(`./digest-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

/**
 * Rows, bytes and digest of tables as a dump of them would have, in the order of `tables`: read in one snapshot by several threads,
 * at about the speed of COPY. A table that is missing or cannot be read is a result; throws `RESTORE_FAILED` when the server goes
 * away, `ABORTED`.
 */
export async function digestTables(options: DigestOptions): Promise<readonly TableDigest[]> {
  const { connection, tables, signal } = options;
  signal.throwIfAborted();
  const client = await openCopySession(connection, undefined, 'digest');
  try {
    const { versionNumber: serverVersion } = await readServerFacts(client);
    await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await client.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
    const { encoding } = await readNaming(client);
    const present = new Map((await readTables(client, true)).map((table) => [keyOf(table), table]));
    const problems = tables.map((table) => problemOf(table, present.get(keyOf(table))));
    const wanted = tables.flatMap((table, index) =>
      problems[index] === undefined ? [{ index, source: columnsAsIn(table, present.get(keyOf(table))!) }] : [],
    );
    const estimatedBytes = wanted.reduce((sum, { source }) => sum + source.totalBytes, 0);
    const tallies = tables.map(() => ({ rows: 0, bytes: 0, digest: EMPTY_DIGEST }));
    let bytes = 0;
    const take = (message: FromDigestWorker): void => {
      if (message.kind === 'unreadable') problems[wanted[message.table]!.index] = `it cannot be read: ${message.message}`;
      if (message.kind !== 'digested') return;
      for (const result of message.results) {
        const tally = tallies[wanted[result.table]!.index]!;
        tally.rows += result.rows;
        tally.bytes += result.bytes;
        tally.digest = addDigests(tally.digest, result.digest);
        bytes += result.bytes;
      }
      options.onProgress?.({ bytes, estimatedBytes });
    };
    const sources = wanted.map(({ source }) => source);
    const batches = planCopies(sources, {
      workers: options.workers,
      serverVersion,
      encoding: options.encoding ?? encoding,
    });
    await runDigests(batches, options.workers, { connection, serverVersion, snapshot: rows[0]!.snapshot }, take, signal);
    return tables.map(({ schema, name }, index) => {
      const problem = problems[index];
      return { schema, name, ...(problem === undefined ? { found: tallies[index]! } : { problem }) };
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BackupError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new BackupError('RESTORE_FAILED', `the tables of ${connection.database} could not be read: ${message}`, {
      cause: error,
      hint: "The server's own log has more.",
    });
  } finally {
    await client.end().catch(() => undefined);
  }
}

function keyOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return JSON.stringify([schema, name]);
}

function problemOf({ columns }: Pick<TableEntry, 'columns'>, source: SourceTable | undefined): string | undefined {
  if (!source) return 'it does not exist';
  const lost = columns.filter((column) => !source.columns.includes(column));
  return lost.length === 0 ? undefined : `it lacks the column ${lost.join(', ')}`;
}

/** The table as it is to be read: the columns, and their order, are those of the rows that it is compared with. */
function columnsAsIn({ columns }: Pick<TableEntry, 'columns'>, source: SourceTable): SourceTable {
  return { ...source, columns, sqlColumns: columns.length === 0 ? '' : `(${columns.map(quoteIdentifier).join(', ')})` };
}

/** Runs the batches on threads, each with one connection. When this settles, every thread and its connection is gone. */
async function runDigests(
  batches: readonly (readonly CopyUnit[])[],
  workers: number,
  data: DigestWorkerData,
  take: (message: FromDigestWorker) => void,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...batches];
  const threads = Array.from({ length: Math.min(workers, batches.length) }, (_, index) => {
    return new Worker(workerFile(), { workerData: data, name: `digest ${String(index + 1)}` });
  });
  try {
    await Promise.all(threads.map(async (thread) => await drive(thread, waiting, take, signal)));
  } finally {
    await Promise.all(threads.map(async (thread) => await thread.terminate()));
  }
}

/** Feeds one thread until nothing is left to do. */
function drive(
  thread: Worker,
  waiting: (readonly CopyUnit[])[],
  take: (message: FromDigestWorker) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let done = false;
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    thread.on('message', (message: FromDigestWorker) => {
      if (message.kind === 'failed') reject(new Error(message.message));
      else if (message.kind === 'ready') {
        const next: ToDigestWorker = waiting.shift();
        done = next === undefined;
        thread.postMessage(next);
      } else take(message);
    });
    thread.on('error', reject);
    thread.on('exit', () => {
      signal.removeEventListener('abort', onAbort);
      if (done) resolve();
      else reject(new Error('a digest thread ended before its work'));
    });
  });
}
