import { gzipSync } from 'node:zlib';
import { createHash } from 'node:crypto';
import { dumpKey, SIDE } from '../catalog/names.ts';
import { serializeManifest } from '../catalog/manifest-file.ts';
import type { CopyEntry, FileProperties, Omission } from '../catalog/manifest.ts';
import { dumpDatabase, type DumpResult } from '../dump/dump.ts';
import { readGlobals } from '../dump/globals.ts';
import type { BackupError } from '../errors.ts';
import { toBackupError } from '../errors.ts';
import { bytesContent, fileContent } from '../storage/content.ts';
import type { DiskStorage } from '../storage/disk.ts';
import { startReplicatedWrite } from '../storage/replicated-write.ts';
import type { Content, Storage } from '../storage/storage.ts';
import type { NightlyBackupParts } from './backup-parts.ts';
import type { Source } from './inspect-source.ts';
import type { JobContext } from './job.ts';
import { StoreBackup, type SideFile } from './store-backup.ts';
import type { WorkArea } from './work-area.ts';

export interface DumpTask {
  readonly label: string;
  readonly source: Source;
  /** Bytes, as good a guess as there is. */
  readonly expectedSize: number;
  readonly targets: readonly Storage[];
  /** The local one among them, if its lock is ours. */
  readonly spool: DiskStorage | undefined;
  readonly work: WorkArea;
  /** Bytes came from the source. */
  readonly onMoved: () => void;
  /** A target failed while the dump goes on. */
  readonly onTargetFailure: (target: string, error: BackupError) => void;
}

export interface MadeDump {
  readonly result: DumpResult;
  readonly outcome: 'complete' | 'incomplete';
  readonly omitted: readonly Omission[];
  readonly sideBytes: { readonly toc: number; readonly globals?: number };
  readonly store: StoreBackup;
  /** To be called in the end, whatever happened. */
  discard(): Promise<void>;
}

/**
 * Dumps the database once: its bytes are with the targets when this resolves, but nothing is visible yet. When it throws,
 * nothing is left of it.
 */
export async function makeDump(parts: NightlyBackupParts, context: JobContext, task: DumpTask): Promise<MadeDump> {
  const { clock, signal } = context;
  const { dump: options, connection } = parts;
  const { label, source, targets, spool } = task;
  const key = dumpKey(label, options.codec);
  const toc = await task.work.temporaryFile(key + SIDE.toc);
  const write = startReplicatedWrite({
    key,
    expectedSize: task.expectedSize,
    targets,
    ...(spool && { spool }),
    signal,
    stallTimeoutMs: parts.stallTimeoutMs,
    repair: parts.repair,
    onFailure: task.onTargetFailure,
  });
  const discard = async (reason?: unknown) => {
    await write.abort(reason);
    await toc.discard();
  };
  try {
    const [globals, result] = await both(
      signal,
      (until) => tryGlobals(parts, source, until),
      (until) =>
        dumpDatabase(
          {
            connection,
            programs: source.programs,
            server: source.server,
            sink: write,
            tocPath: toc.path,
            clock,
            signal: until,
            onProgress: ({ copiedBytes, estimatedBytes }) => {
              task.onMoved();
              parts.watch?.progress?.(copiedBytes, estimatedBytes);
            },
          },
          { ...options, source: parts.source, label, version: parts.version },
        ),
    );
    const omitted = [...result.omitted, ...globals.omitted];
    const outcome = omitted.every((omission) => isAllowed(omission, options.allowedWarnings)) ? 'complete' : 'incomplete';
    const sides: SideFile[] = [
      { suffix: SIDE.toc, content: await fileContent(toc.path) },
      ...(globals.bytes ? [{ suffix: SIDE.globals, content: bytesContent(globals.bytes) }] : []),
    ];
    const name = (suffix: string) => (key + suffix).slice(key.lastIndexOf('/') + 1);
    const side = Object.fromEntries(
      await Promise.all(
        sides.map(async ({ suffix, content }) => [
          suffix === SIDE.toc ? 'toc' : 'globals',
          await properties(name(suffix), content),
        ]),
      ),
    ) as { toc: FileProperties; globals?: FileProperties };
    const manifest = (copies: readonly CopyEntry[]) => {
      const file = { name: name(''), ...result.file, sha256: write.sha256 };
      return serializeManifest({ ...result, outcome, omitted, file, side, copies });
    };
    return {
      result,
      outcome,
      omitted,
      sideBytes: { toc: side.toc.bytes, ...(side.globals && { globals: side.globals.bytes }) },
      store: new StoreBackup({
        ...{ key, write, sides, targets, spool, clock, signal },
        manifest,
      }),
      discard,
    };
  } catch (error) {
    await discard(error);
    throw error;
  }
}

/** Runs both side by side. When one fails the other is stopped and awaited, and the first failure is thrown. */
async function both<A, B>(
  signal: AbortSignal,
  a: (until: AbortSignal) => Promise<A>,
  b: (until: AbortSignal) => Promise<B>,
): Promise<[A, B]> {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  let first: { readonly error: unknown } | undefined;
  const fail = (error: unknown): undefined => {
    first ??= { error };
    stop.abort(error);
  };
  const [one, other] = await Promise.all([a(until).catch(fail), b(until).catch(fail)]);
  if (first) throw first.error;
  return [one as A, other as B];
}

/** Roles and tablespaces are the server's, not the database's: without them the backup is not worthless, but incomplete. */
async function tryGlobals(
  parts: NightlyBackupParts,
  source: Source,
  signal: AbortSignal,
): Promise<{ bytes?: Uint8Array; omitted: Omission[] }> {
  try {
    const sql = await readGlobals(parts.connection, source.programs, { passwords: parts.dump.rolePasswords }, signal);
    return { bytes: gzipSync(sql), omitted: [] };
  } catch (error) {
    const { code, message } = toBackupError(error);
    if (signal.aborted || code !== 'CLIENT_PROGRAM_FAILED') throw error;
    return { omitted: [{ kind: 'object', object: 'roles and tablespaces', reason: message }] };
  }
}

function isAllowed({ object, reason }: Omission, allowed: readonly string[]): boolean {
  return allowed.some((text) => object.includes(text) || reason.includes(text));
}

async function properties(name: string, content: Content): Promise<FileProperties> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content.open()) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { name, bytes, sha256: hash.digest('hex') };
}
