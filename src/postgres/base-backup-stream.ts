import type { Submittable } from 'pg';

import { BackupError } from '../errors.ts';
import { BaseBackupQuery } from './base-backup-query.ts';
import { connect, quoteLiteral, withClient, type ConnectionOptions } from './connection.ts';
import { CopySocket } from './copy-socket.ts';
import { sampleWal } from './replication.ts';
import { uploadManifest } from './upload-manifest.ts';

export interface BaseBackupOptions {
  /** Stands in the backup's `backup_label` file. */
  readonly label: string;
  /** Whether the WAL that the backup needs is put into it; otherwise it has to come from an archive. */
  readonly includeWal: boolean;
  /** The `backup_manifest` of an earlier backup: only what has changed since then is sent. From PostgreSQL 17 on. */
  readonly since?: Uint8Array;
  /** KiB a second at which the server reads its files; as fast as it can when absent. PostgreSQL takes 32 to 1,048,576. */
  readonly maxRate?: number;
  /** Told from time to time: bytes sent so far, of about `total`. */
  readonly progress?: (sent: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Takes what the server sends, in its order. */
export interface BaseBackupSink {
  /** A new file: `base.tar`, `<oid>.tar` of a tablespace, and last `backup_manifest`. */
  begin(name: string): void;
  /**
   * Bytes of the file begun last; they are the driver's, to be copied before this returns. While a returned promise is pending the server
   * is held back.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
}

export interface TablespaceFacts {
  readonly oid: string;
  /** Absolute path on the server. */
  readonly location: string;
}

export interface BaseBackupFacts {
  /** Where replay must begin. */
  readonly startLsn: string;
  /** From where on the files are consistent. */
  readonly endLsn: string;
  readonly timeline: number;
  readonly tablespaces: readonly TablespaceFacts[];
  /** By the server's clock, after the last byte: every commit in the backup is older. */
  readonly finishedAt: string;
}

/** The server cannot say what has changed since the earlier backup; it has sent nothing. The message is the server's reason. */
export class IncrementalRefused extends Error {
  override readonly name = 'IncrementalRefused';
}

const DATA_CORRUPTED = 'XX001';
/** The server itself names no more than five pages of a file. */
const MOST_WARNINGS = 20;
/** The oldest server that sends a manifest of the files with their checksums. */
const OLDEST_MAJOR = 13;
/** From here on the options are in parentheses, all files come in one stream, and archives have their end mark. */
const ONE_STREAM_MAJOR = 15;

/**
 * A base backup through the replication protocol, checksums of pages verified by the server on the way. Needs a role with REPLICATION.
 * Throws SOURCE_VERSION, SOURCE_PRIVILEGE and the errors of `connect`; SOURCE_FAILED for what the server says in between, damaged pages among
 * it, which are named; for an incremental one IncrementalRefused, before anything was handed to the sink.
 */
export async function streamBaseBackup(
  connection: ConnectionOptions,
  options: BaseBackupOptions,
  sink: BaseBackupSink,
): Promise<BaseBackupFacts> {
  const { signal, since } = options;
  let begun = false as boolean;
  const client = await connect(connection, {
    ...{ replication: true, socket: () => new CopySocket() },
    ...(signal && { signal }),
  });
  // Of damaged pages the server names each as it meets it, and refuses at the end.
  const warnings: string[] = [];
  client.on('notice', ({ message }) => {
    if (message !== undefined && warnings.length < MOST_WARNINGS) warnings.push(message);
  });
  const stop = (): void => void client.connection.stream.destroy();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const { rows } = await client.query<{ server_version_num: string }>('SHOW server_version_num');
    const major = Math.floor(Number(rows[0]?.server_version_num) / 10_000);
    if (major < OLDEST_MAJOR) {
      throw new BackupError('SOURCE_VERSION', `PostgreSQL ${major} sends no manifest with a base backup`, {
        hint: `Physical backups need PostgreSQL ${OLDEST_MAJOR} or later; logical ones work with this server.`,
      });
    }
    if (since) await uploadManifest(client, since);
    const own: BaseBackupSink = {
      begin(name) {
        begun = true;
        sink.begin(name);
      },
      write: (bytes) => sink.write(bytes),
    };
    const query = new BaseBackupQuery(commandText(options, major), major >= ONE_STREAM_MAJOR, own, options.progress);
    client.query(query as unknown as Submittable);
    return { ...(await query.done), finishedAt: await serverTime(connection, signal) };
  } catch (error) {
    if (signal?.aborted === true) throw new BackupError('ABORTED', 'the base backup was aborted', { cause: signal.reason });
    if (since && !begun && isRefusal(error)) throw new IncrementalRefused(error.message, { cause: error });
    throw sourceError(error, warnings);
  } finally {
    signal?.removeEventListener('abort', stop);
    client.connection.stream.destroy();
  }
}

async function serverTime(connection: ConnectionOptions, signal: AbortSignal | undefined): Promise<string> {
  return await withClient(connection, async (client) => (await sampleWal(client, false)).time, signal && { signal });
}

function commandText({ label, includeWal, maxRate, since }: BaseBackupOptions, major: number): string {
  if (major < ONE_STREAM_MAJOR) {
    const words = ['LABEL', quoteLiteral(label), 'PROGRESS', 'FAST', ...(includeWal ? ['WAL'] : []), 'NOWAIT'];
    if (maxRate !== undefined) words.push(`MAX_RATE ${maxRate}`);
    return `BASE_BACKUP ${words.join(' ')} TABLESPACE_MAP MANIFEST 'yes' MANIFEST_CHECKSUMS 'CRC32C'`;
  }
  const list = [`LABEL ${quoteLiteral(label)}`, 'PROGRESS', `CHECKPOINT 'fast'`, `WAL ${includeWal}`, 'WAIT false'];
  if (maxRate !== undefined) list.push(`MAX_RATE ${maxRate}`);
  if (since) list.push('INCREMENTAL');
  return `BASE_BACKUP (${list.join(', ')}, TABLESPACE_MAP true, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')`;
}

/** The server answered, and it is not that the role may do no backup at all. */
function isRefusal(error: unknown): error is Error {
  const { code } = error as { code?: string };
  return error instanceof Error && !(error instanceof BackupError) && /^[0-9A-Z]{5}$/.test(code ?? '') && code !== '42501';
}

/** The role may not replicate, there is no free walsender, … */
function sourceError(error: unknown, warnings: readonly string[]): unknown {
  if (error instanceof BackupError) return error;
  const { code, message } = error as { code?: string; message: string };
  if (code === DATA_CORRUPTED) {
    return new BackupError('SOURCE_FAILED', `the source has damaged pages on its disk: ${[...warnings, message].join('; ')}`, {
      cause: error,
      hint: 'Nothing was stored; backups from before are as they were. SELECT pg_filenode_relation(tablespace, number of the file) in that database names the table or index. Rebuild an index (REINDEX); bring a table back from a backup (docs/pitr.md). Look at the disk: it may go on.',
    });
  }
  if (code === '42501') {
    return new BackupError('SOURCE_PRIVILEGE', `the server refuses a base backup: ${message}`, {
      cause: error,
      hint: 'Give the role the attribute: ALTER ROLE … REPLICATION.',
    });
  }
  return new BackupError('SOURCE_FAILED', `the base backup broke off: ${message}`, { cause: error });
}
