import { createHash } from 'node:crypto';
import {
  baseFileKey,
  baseManifestKey,
  baseManifestVersion,
  PG_MANIFEST,
  serializeBaseManifest,
  type BaseArchive,
  type BaseManifest,
  type BaseParent,
} from '../catalog/base-manifest.ts';
import type { CopyEntry } from '../catalog/manifest.ts';
import type { Clock } from '../clock.ts';
import { BackupError, toBackupError } from '../errors.ts';
import { streamBaseBackup } from '../postgres/base-backup-stream.ts';
import type { ConnectionOptions } from '../postgres/connection.ts';
import { bytesContent } from '../storage/content.ts';
import type { DiskStorage } from '../storage/disk.ts';
import { startReplicatedWrite, type ReplicatedWrite } from '../storage/replicated-write.ts';
import type { RetryPolicy } from '../storage/retrying.ts';
import type { Storage } from '../storage/storage.ts';
import { CompressedArchive, type CompressOptions } from './compressed-archive.ts';

export interface TakeBaseOptions {
  readonly label: string;
  readonly source: string;
  readonly connection: ConnectionOptions;
  readonly server: { readonly version: string; readonly systemIdentifier: string; readonly segmentBytes: number };
  /** At least one. */
  readonly targets: readonly Storage[];
  /** The local one among them. */
  readonly spool?: DiskStorage;
  readonly compress: CompressOptions;
  readonly includeWal: boolean;
  /** Only what has changed since this one is taken. */
  readonly parent?: BaseParent & { readonly pgManifest: Uint8Array };
  /** KiB a second; as fast as it goes when absent. */
  readonly maxRate?: number;
  /** Bytes, as good a guess as there is. */
  readonly expectedSize: number;
  readonly repair: RetryPolicy;
  readonly stallTimeoutMs: number;
  readonly clock: Clock;
  readonly progress?: (sent: number, total: number) => void;
  readonly onTargetFailure: (target: string, error: BackupError) => void;
  readonly signal: AbortSignal;
}

/** A base backup that is stored, whose manifest is not: until {@link publishBase} nothing counts. */
export interface StoredBase {
  readonly manifest: BaseManifest;
  /** Targets that have all of its files. */
  readonly whole: readonly Storage[];
}

interface OpenArchive {
  readonly name: string;
  readonly write: ReplicatedWrite;
  readonly archive: CompressedArchive;
}

const EXTENSIONS = { gzip: '.gz', zstd: '.zst' } as const;

/**
 * Takes a base backup and stores its archives on all targets: nothing is visible before the server has said that the backup is complete.
 * Throws when no target has all of it, and `IncrementalRefused` when the server cannot build on the parent; nothing is stored then.
 */
export async function takeBase(options: TakeBaseOptions): Promise<StoredBase> {
  const { label, clock, signal, compress, parent } = options;
  const startedAt = clock.now().toISOString();
  const archives: OpenArchive[] = [];
  const pgManifest: Buffer[] = [];
  let inManifest = false;
  try {
    const facts = await streamBaseBackup(
      options.connection,
      {
        ...{ label, includeWal: options.includeWal, signal },
        ...(parent && { since: parent.pgManifest }),
        ...(options.maxRate !== undefined && { maxRate: options.maxRate }),
        ...(options.progress && { progress: options.progress }),
      },
      {
        begin(name) {
          inManifest = name === PG_MANIFEST;
          if (inManifest) return;
          const file = name + EXTENSIONS[compress.codec];
          const write = openWrite(baseFileKey(label, file), options);
          archives.push({ name: file, write, archive: new CompressedArchive(write, compress) });
        },
        write(bytes) {
          if (!inManifest) return archives.at(-1)!.archive.add(bytes);
          pgManifest.push(Buffer.from(bytes));
          return undefined;
        },
      },
    );
    const stored: BaseArchive[] = [];
    for (const { name, archive } of archives) stored.push({ name, ...(await archive.end()), sha256: '' });
    signal.throwIfAborted();
    const outcomes = [];
    for (const [at, { write }] of archives.entries()) {
      await write.commit();
      outcomes.push(await write.settled());
      stored[at] = { ...stored[at]!, sha256: write.sha256 };
    }
    const manifestBytes = Buffer.concat(pgManifest);
    const whole: Storage[] = [];
    const copies: CopyEntry[] = [];
    for (const target of options.targets) {
      if (!outcomes.every((each) => each.find((outcome) => outcome.target === target.name)?.ok === true)) continue;
      try {
        const put = await target.put(baseFileKey(label, PG_MANIFEST), bytesContent(manifestBytes), signal);
        whole.push(target);
        copies.push({
          ...{ target: target.name, location: target.location(baseFileKey(label, stored[0]!.name)), sha256: put.sha256 },
          ...{ storedAt: clock.now().toISOString(), checkedBy: put.checkedBy },
        });
      } catch (error) {
        signal.throwIfAborted();
        options.onTargetFailure(target.name, toBackupError(error));
      }
    }
    if (whole.length === 0) {
      throw new BackupError('STORAGE_NO_TARGET', `no target has all files of the physical backup ${label}`, {
        hint: 'The messages before this one say what each target lacks. What was stored is removed by a later run.',
      });
    }
    const { server, source } = options;
    return {
      whole,
      manifest: {
        ...{ formatVersion: baseManifestVersion(parent !== undefined), label, source },
        ...{ systemIdentifier: server.systemIdentifier, serverVersion: server.version, segmentBytes: server.segmentBytes },
        ...{ timeline: facts.timeline, startLsn: facts.startLsn, endLsn: facts.endLsn },
        ...{ startedAt, finishedAt: facts.finishedAt },
        ...{ includesWal: options.includeWal, codec: compress.codec, tablespaces: facts.tablespaces, archives: stored },
        pgManifest: { bytes: manifestBytes.length, sha256: createHash('sha256').update(manifestBytes).digest('hex') },
        ...(parent && { parent: { label: parent.label, pgManifestSha256: parent.pgManifestSha256 } }),
        copies,
      },
    };
  } catch (error) {
    await Promise.all(archives.map(({ write }) => write.abort(error)));
    throw error;
  }
}

/** Makes it count, on every target that has all of it. */
export async function publishBase({ manifest, whole }: StoredBase, signal: AbortSignal): Promise<void> {
  for (const target of whole) {
    await target.put(baseManifestKey(manifest.label), bytesContent(serializeBaseManifest(manifest)), signal);
  }
}

function openWrite(key: string, options: TakeBaseOptions): ReplicatedWrite {
  const { targets, spool, expectedSize, signal, stallTimeoutMs, repair, onTargetFailure } = options;
  return startReplicatedWrite({
    ...{ key, expectedSize, targets, signal, stallTimeoutMs, repair, onFailure: onTargetFailure },
    ...(spool && { spool }),
  });
}
