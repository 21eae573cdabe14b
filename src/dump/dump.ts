import type { Manifest, ServerProperties, TableEntry } from '../catalog/manifest.ts';
import { manifestVersion } from '../catalog/manifest.ts';
import type { Clock } from '../clock.ts';
import type { Level } from '../codec/level.ts';
import type { CodecName } from '../codec/codec.ts';
import { addDigests, EMPTY_DIGEST } from '../codec/row-digest.ts';
import { BackupError } from '../errors.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { readSections, readSequences, writeArchive } from './archive.ts';
import { startCopyThreads, type CopyThreads } from './copy-pool.ts';
import type { CopyResult } from './copy-unit.ts';
import { startLeader, type DumpHooks, type Leader } from './leader.ts';
import { lockError } from './locks.ts';
import { MemberQueue } from './member-queue.ts';
import { planCopies } from './plan.ts';
import { AROUND_SECTIONS, beginLine, endLine } from '../codec/script-comments.ts';
import { ScriptWriter, type DumpSink } from './script-writer.ts';
import { sourceError } from './source-error.ts';

export interface DumpParts {
  readonly connection: ConnectionOptions;
  readonly programs: ClientPrograms;
  readonly server: ServerProperties;
  /** Takes the file's bytes. Nothing is appended before the whole archive of `pg_dump` is there. */
  readonly sink: DumpSink;
  /** A local path for the `.toc` archive. */
  readonly tocPath: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: DumpProgress) => void;
  readonly hooks?: DumpHooks;
}

export interface DumpOptions {
  readonly source: string;
  readonly label: string;
  /** Version of this program. */
  readonly version: string;
  readonly codec: CodecName;
  readonly level: Level;
  readonly workers: number;
  /** How long to wait for a table's lock. */
  readonly lockTimeoutMs: number;
}

export interface DumpProgress {
  /** Bytes of rows copied, of about as many as the tables have on disk. */
  readonly copiedBytes: number;
  readonly estimatedBytes: number;
  readonly tables: number;
}

/** The manifest but for what only storage knows: names, side files, copies and the file's SHA-256. */
export type DumpResult = Omit<Manifest, 'copies' | 'side' | 'file'> & {
  readonly file: Pick<Manifest['file'], 'bytes' | 'rawBytes'>;
};

const CHUNK_BYTES = 8 * 1024 * 1024;
const CREDIT = 3;

/**
 * Dumps one database into one file (docs/backup-format.md) under one snapshot. Throws SOURCE_* errors, or the sink's own; the
 * sink is then left half-written. SOURCE_CHANGED means that somebody changed the source meanwhile: the caller may begin again
 * with a new sink.
 */
export async function dumpDatabase(parts: DumpParts, options: DumpOptions): Promise<DumpResult> {
  try {
    return await dumpOnce(parts, options);
  } catch (error) {
    throw parts.signal.aborted ? aborted(parts.signal) : sourceError(error, 'copying the rows');
  }
}

async function dumpOnce(parts: DumpParts, options: DumpOptions): Promise<DumpResult> {
  const startedAt = parts.clock.now().toISOString();
  const began = parts.clock.monotonic();
  const stop = new AbortController();
  const signal = AbortSignal.any([parts.signal, stop.signal]);
  const threads = startCopyThreads(options.workers, {
    connection: parts.connection,
    serverVersion: parts.server.versionNum,
    codec: options.codec,
    level: options.level,
    chunkBytes: CHUNK_BYTES,
    credit: CREDIT,
  });
  let leader: Leader | undefined;
  try {
    leader = await startLeader(parts.connection, parts.server, options.lockTimeoutMs, parts.hooks ?? {}, signal);
    const writer = new ScriptWriter(parts.sink, options.codec, options.level);
    const tallies = leader.tables.map(() => ({ rows: 0, bytes: 0, digest: EMPTY_DIGEST }));
    const queue = new MemberQueue(options.workers);
    const archiveOptions = {
      connection: parts.connection,
      programs: parts.programs,
      leader,
      lockTimeoutMs: options.lockTimeoutMs,
      signal,
      path: parts.tocPath,
    };
    const facts = {
      label: options.label,
      source: options.source,
      database: leader.database,
      server: parts.server,
      programs: { dbBackup: options.version, pgDump: parts.programs.version },
      snapshot: { time: leader.snapshotTime, lsn: leader.lsn },
      startedAt,
      codec: { name: options.codec, level: options.level },
      requires: leader.requires,
    };

    // Rows and archive are read side by side; the head has to come first in the file, so chunks wait for the archive.
    const rows = copyRows(parts, options, threads, leader, queue, tallies, signal);
    const file = async () => {
      const archive = await writeArchive(archiveOptions);
      const head = writer.script('head', async (take) => {
        await take(Buffer.from(beginLine(facts)));
        await readSections(archiveOptions, ['pre-data'], take);
        await take(Buffer.from(AROUND_SECTIONS.afterPreData));
      });
      const [sequences] = await Promise.all([readSequences(archiveOptions, archive), head]);
      for (let member = await queue.next(); member; member = await queue.next()) await writer.chunk(member);
      return { ...archive, sequences };
    };
    const archive = await together(stop, queue, rows, file());
    await parts.hooks?.afterRows?.({ snapshot: leader.snapshot });
    await leader.release();

    const ending = {
      omitted: [...leader.omitted, ...archive.omitted],
      warnings: archive.warnings,
      tables: leader.tables.map((table, index) => tableEntry(table, tallies[index]!)),
      sequences: archive.sequences,
      largeObjects: { count: leader.largeObjects.unreadable > 0 ? 0 : leader.largeObjects.count },
    };
    await writer.script('tail', async (take) => {
      await take(Buffer.from(AROUND_SECTIONS.beforeData));
      await readSections(archiveOptions, ['data', 'post-data'], take);
      await take(Buffer.from(endLine(ending)));
    });

    const { startedAt: _, ...known } = facts;
    return {
      formatVersion: manifestVersion(writer.members),
      ...known,
      outcome: ending.omitted.length === 0 ? 'complete' : 'incomplete',
      ...ending,
      timing: {
        startedAt,
        finishedAt: parts.clock.now().toISOString(),
        dumpSeconds: (parts.clock.monotonic() - began) / 1000,
      },
      file: { bytes: writer.bytes, rawBytes: writer.rawBytes },
      members: writer.members,
    };
  } catch (error) {
    const broken = leader?.broken();
    throw broken === undefined || parts.signal.aborted ? error : sourceError(broken, 'holding the snapshot');
  } finally {
    stop.abort();
    leader?.abandon();
    await threads.stop();
  }
}

/** Waits for both; when one fails the other is stopped and awaited, and the first failure is thrown. */
async function together<T>(stop: AbortController, queue: MemberQueue, rows: Promise<void>, file: Promise<T>): Promise<T> {
  let first: { readonly error: unknown } | undefined;
  const onFailure = (error: unknown): void => {
    first ??= { error };
    queue.fail(error);
    stop.abort();
  };
  const [, result] = await Promise.all([rows.then(() => queue.end(), onFailure), file.catch(onFailure)]);
  if (first) throw first.error;
  return result as T;
}

async function copyRows(
  parts: DumpParts,
  options: DumpOptions,
  threads: CopyThreads,
  leader: Leader,
  queue: MemberQueue,
  tallies: { rows: number; bytes: number; digest: string }[],
  signal: AbortSignal,
): Promise<void> {
  const planning = { workers: options.workers, serverVersion: parts.server.versionNum, encoding: leader.encoding };
  const estimatedBytes = leader.tables.reduce((sum, table) => sum + table.totalBytes, 0);
  let copiedBytes = 0;
  const finished = (result: CopyResult): void => {
    const tally = tallies[result.table]!;
    tally.rows += result.rows;
    tally.bytes += result.bytes;
    tally.digest = addDigests(tally.digest, result.digest);
    copiedBytes += result.bytes;
    parts.onProgress?.({ copiedBytes, estimatedBytes, tables: leader.tables.length });
  };
  try {
    await threads.run(planCopies(leader.tables, planning), leader.snapshot, queue, finished, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    throw await lockError(error, parts.connection, 'copying the rows');
  }
}

function tableEntry(table: Leader['tables'][number], tally: { rows: number; bytes: number; digest: string }): TableEntry {
  const { schema, name, columns, loadInto, partitionOf } = table;
  return { schema, name, columns, ...(loadInto ? { loadInto } : {}), ...(partitionOf ? { partitionOf } : {}), ...tally };
}

function aborted(signal: AbortSignal): BackupError {
  const { reason } = signal as { reason: unknown };
  return reason instanceof BackupError ? reason : new BackupError('ABORTED', 'the dump was aborted.', { cause: reason });
}
