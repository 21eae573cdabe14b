import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLsn } from '../../src/catalog/lsn.ts';
import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { readStreamState } from '../../src/wal/stream-state.ts';
import type { Ground } from './ground.ts';
import { receivedUpTo } from './received.ts';

/** What receives WAL while the load runs. */
export interface Stream {
  readonly pid: number;
  /** Where WAL is received. */
  readonly folder: string;
}

const POLL_MS = 100;

/** PostgreSQL's own receiver as we start it, with nothing around it: nobody who streams can do with less. */
export async function withReceiver<T>(ground: Ground, signal: AbortSignal, use: (stream: Stream) => Promise<T>): Promise<T> {
  const { programs, server } = ground;
  const folder = join(ground.folder, 'bare');
  await mkdir(folder);
  await ground.sql(`SELECT pg_create_physical_replication_slot('bare', true)`);
  const receiver = spawn(join(programs.directory, 'pg_receivewal'), ['-D', folder, '-S', 'bare', '--status-interval=1', '-w'], {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...libpqEnvironment(server.connection) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    await caughtUp(ground, folder, signal);
    return await use({ pid: receiver.pid!, folder });
  } finally {
    await end(receiver, 'SIGINT');
    await dropSlot(ground, 'bare');
    await rm(folder, { recursive: true });
  }
}

/** The daemon, with an archive that begins now. `bucket`: where it goes as well. */
export async function withDaemon<T>(
  ground: Ground,
  bucket: Readonly<Record<string, string>>,
  signal: AbortSignal,
  use: (stream: Stream) => Promise<T>,
): Promise<T> {
  const { program, env } = ground;
  const wal = join(env['BACKUP_DIR']!, 'wal');
  const folder = join(wal, 'postgres/incoming');
  const daemon = spawn(program.node, [join(program.cli, '../main.js')], {
    env: {
      ...{ PATH: '/usr/local/bin:/usr/bin:/bin', ...env, ...bucket },
      ...{ PITR_ENABLED: 'true', BACKUP_SCHEDULE: '0 0 1 1 *', BACKUP_CATCH_UP_HOURS: '0' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  daemon.stdout.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-100_000)));
  try {
    for (;;) {
      signal.throwIfAborted();
      if (daemon.exitCode !== null) throw new Error(`the daemon ended:\n${said}`);
      const targets = (await readStreamState(folder))?.targets ?? [];
      if (targets.length > 0 && targets.every(({ reached, waitingFiles }) => reached?.time !== undefined && waitingFiles === 0))
        break;
      await sleep(POLL_MS);
    }
    await caughtUp(ground, folder, signal);
    return await use({ pid: daemon.pid!, folder });
  } finally {
    await end(daemon, 'SIGTERM');
    await dropSlot(ground, 'db_backup');
    await rm(wal, { recursive: true, force: true });
  }
}

/** A new slot begins at the last checkpoint: what was written since then is no part of the load. */
async function caughtUp(ground: Ground, folder: string, signal: AbortSignal): Promise<void> {
  const [row] = await ground.sql<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  const lsn = parseLsn(row!.lsn);
  while (((await receivedUpTo(folder)) ?? 0n) < lsn) {
    signal.throwIfAborted();
    await sleep(POLL_MS);
  }
}

async function end(program: ChildProcess, by: NodeJS.Signals): Promise<void> {
  if (program.exitCode !== null) return;
  const ended = once(program, 'exit');
  program.kill(by);
  await ended;
}

/** Its connection may be open for a moment. */
async function dropSlot(ground: Ground, slot: string): Promise<void> {
  while (await isActive(ground, slot)) await sleep(POLL_MS);
  await ground.sql(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${slot}'`);
}

async function isActive(ground: Ground, slot: string): Promise<boolean> {
  const [row] = await ground.sql<{ active: boolean }>(`SELECT active FROM pg_replication_slots WHERE slot_name = '${slot}'`);
  return row?.active === true;
}
