import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupError, type ErrorCode } from '../errors.ts';
import { withClient, type ConnectionOptions } from './connection.ts';

export interface RecoveringServer {
  readonly dataDirectory: string;
  /** In English. */
  readonly logFile: string;
  /** The server has ended. */
  isGone(): boolean;
}

/** What a recovery has come to. */
export interface Reached {
  /** The end of the last record that was replayed. */
  readonly lsn: string;
  /** When the last transaction that was replayed had ended, by the source's clock; absent when none was. */
  readonly lastTransaction?: string;
  /** Of the server's own WAL; absent as long as it pauses. */
  readonly timeline?: number;
}

const POLL_MS = 50;
const TAIL_BYTES = 64 * 1024;
const PAUSED = 'pausing at the end of recovery';
const COMPLETE = 'archive recovery complete';

/** What a server says when it does not get to the target, and what that means. */
const FAILURES: readonly { readonly says: RegExp; readonly code: ErrorCode; readonly hint: string }[] = [
  {
    says: /No space left on device/,
    code: 'STORAGE_FULL',
    hint: 'Free space there, or take a folder on a larger volume (--into, BACKUP_WORK_DIR), and recover anew.',
  },
  {
    says: /recovery ended before configured recovery target was reached/,
    code: 'RESTORE_FAILED',
    hint: 'The WAL that is stored does not have the target. `backup-manager list-backups --recoverable` shows how far it goes.',
  },
  {
    says: /is not compatible with this version|incompatible with server/,
    code: 'CLIENT_PROGRAM_MISSING',
    hint: 'Install the server programs of that very version, or name their folder in BACKUP_PROGRAM_DIRECTORIES.',
  },
];

/**
 * Waits until a server that recovers is open, or pauses at its target. Throws when it ends before, with what its log says of why.
 * There is no time limit: how long it takes is in the WAL.
 */
export async function awaitRecovery(server: RecoveringServer, signal: AbortSignal): Promise<'open' | 'paused'> {
  for (;;) {
    signal.throwIfAborted();
    // Before the log is read: what it wrote last is in it then.
    const gone = server.isGone();
    const lock = await readFile(join(server.dataDirectory, 'postmaster.pid'), 'utf8').catch(() => '');
    const log = await tailOf(server.logFile);
    if (gone) throw recoveryFailure(log, server.dataDirectory);
    if (log.includes(PAUSED)) return 'paused';
    // A server that lets readers in while it recovers says `ready`, too.
    if (log.includes(COMPLETE) && lock.split('\n')[7]?.startsWith('ready') === true) return 'open';
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Where a server that has recovered has come to: it knows until it is started again. */
export async function readReached(connection: ConnectionOptions): Promise<Reached> {
  return await withClient(connection, async (client) => {
    const { rows } = await client.query<{ lsn: string; time: string | null; timeline: string | null }>(
      `SELECT pg_catalog.pg_last_wal_replay_lsn()::text AS lsn,
              pg_catalog.to_char(pg_catalog.pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
              CASE WHEN NOT pg_catalog.pg_is_in_recovery()
                   THEN pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END AS timeline`,
    );
    const { lsn, time, timeline } = rows[0]!;
    return {
      lsn,
      ...(time !== null && { lastTransaction: time }),
      ...(timeline !== null && { timeline: Number.parseInt(timeline, 16) }),
    };
  });
}

function recoveryFailure(log: string, dataDirectory: string): BackupError {
  const known = FAILURES.find(({ says }) => says.test(log));
  const lines = log.trimEnd().split('\n');
  const line = known && lines.find((each) => known.says.test(each));
  const what = line ?? lines.slice(-12).join('\n');
  return new BackupError(
    known?.code ?? 'SERVER_START_FAILED',
    `the server on ${dataDirectory} ended before it was recovered: ${what}`,
    {
      hint: known?.hint ?? 'The lines above are what it wrote last.',
    },
  );
}

async function tailOf(path: string): Promise<string> {
  const handle = await open(path).catch(() => undefined);
  if (!handle) return '';
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(
      Buffer.alloc(Math.min(size, TAIL_BYTES)),
      0,
      Math.min(size, TAIL_BYTES),
      from,
    );
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
