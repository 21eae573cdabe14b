import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { readStreamState } from '../../src/wal/stream-state.ts';
import { familyMemory } from '../run/process-tree.ts';
import { median, type LoadFigures } from './figures.ts';
import type { Ground } from './ground.ts';

const SEGMENT_BYTES = 16 * 2 ** 20;
const SAMPLE_MS = 500;

interface Seen {
  behind: number;
  readonly points: number[];
  readonly offSite: number[];
  bytes: number;
}

/** `pgbench -c 8` in turn without a stream, with a bare `pg_receivewal`, and with the daemon that streams the WAL, for so many seconds each. */
export async function measureLoad(ground: Ground, rounds: number, seconds: number, signal: AbortSignal): Promise<LoadFigures> {
  const [without, bare, withUs]: [number[], number[], number[]] = [[], [], []];
  const seen: Seen = { behind: 0, points: [], offSite: [], bytes: 0 };
  await ground.pgbench(`-n -c 8 -j 2 -T 5`);
  for (let round = 0; round < rounds; round += 1) {
    signal.throwIfAborted();
    without.push(await throughput(ground, seconds));
    bare.push(await withReceiver(ground, async () => await throughput(ground, seconds)));
    const daemon = await startDaemon(ground);
    await caughtUp(ground, signal);
    const watching = new AbortController();
    const watched = watch(ground, daemon.pid!, seen, watching.signal);
    withUs.push(await throughput(ground, seconds));
    watching.abort();
    await watched;
    const ended = once(daemon, 'exit');
    daemon.kill('SIGTERM');
    await ended;
  }
  await ground.sql(`SELECT pg_drop_replication_slot('db_backup')`);
  return {
    ...{ seconds, without, withUs, ratio: median(withUs) / median(without), segmentsBehind: seen.behind },
    ...{ bare, bareRatio: median(bare) / median(without) },
    recoveryPoint: { median: median(seen.points), highest: Math.max(...seen.points) },
    ...(seen.offSite.length > 0 && { offSite: { median: median(seen.offSite), highest: Math.max(...seen.offSite) } }),
    daemonBytes: seen.bytes,
  };
}

async function throughput(ground: Ground, seconds: number): Promise<number> {
  await ground.sql('CHECKPOINT');
  const output = await ground.pgbench(`-n -c 8 -j 2 -T ${seconds}`);
  return Number(/tps = ([\d.]+)/.exec(output)![1]);
}

/** As we start it, with nothing around it. */
async function withReceiver(ground: Ground, use: () => Promise<number>): Promise<number> {
  const { folder, programs, server } = ground;
  const place = join(folder, 'bare');
  await mkdir(place);
  await ground.sql(`SELECT pg_create_physical_replication_slot('bare', true)`);
  const receiver = spawn(join(programs.directory, 'pg_receivewal'), ['-D', place, '-S', 'bare', '--synchronous', '-w'], {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...libpqEnvironment(server.connection) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const active = `SELECT active FROM pg_replication_slots WHERE slot_name = 'bare'`;
  const isActive = async (): Promise<boolean> => (await ground.sql<{ active: boolean }>(active))[0]!.active;
  try {
    while (!(await isActive())) await sleep(50);
    return await use();
  } finally {
    const ended = once(receiver, 'exit');
    receiver.kill('SIGINT');
    await ended;
    while (await isActive()) await sleep(50);
    await ground.sql(`SELECT pg_drop_replication_slot('bare')`);
    await rm(place, { recursive: true });
  }
}

async function startDaemon(ground: Ground) {
  const { program, env, bucket } = ground;
  const daemon = spawn(program.node, [join(program.cli, '../main.js')], {
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      ...env,
      ...bucket,
      PITR_ENABLED: 'true',
      BACKUP_SCHEDULE: '0 0 1 1 *',
      BACKUP_CATCH_UP_HOURS: '0',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  daemon.stdout.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-100_000)));
  while (!said.includes('WAL is streamed')) {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended:\n${said}`);
    await sleep(50);
  }
  return daemon;
}

/** What the source has kept for us since the round before is no part of this one. */
async function caughtUp(ground: Ground, signal: AbortSignal): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const [row] = await ground.sql<{ behind: number | null }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::float8 AS behind
         FROM pg_replication_slots WHERE slot_name = 'db_backup'`,
    );
    const state = await readStreamState(incoming(ground));
    const waiting = state?.targets.reduce((sum, { waitingFiles }) => sum + waitingFiles, 0);
    if (row?.behind !== null && row !== undefined && row.behind < SEGMENT_BYTES && waiting === 0) return;
    await sleep(SAMPLE_MS);
  }
}

function incoming(ground: Ground): string {
  return join(ground.env['BACKUP_DIR']!, 'wal/postgres/incoming');
}

/** How far what was received is behind the source, and how old the newest instant is that could be recovered. */
async function watch(ground: Ground, pid: number, seen: Seen, signal: AbortSignal): Promise<void> {
  const folder = incoming(ground);
  while (!signal.aborted) {
    await sleep(SAMPLE_MS);
    const [row] = await ground.sql<{ now: string; behind: number | null }>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now,
              (SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::float8
                 FROM pg_replication_slots WHERE slot_name = 'db_backup') AS behind`,
    );
    const { behind, now } = row!;
    if (behind !== null) seen.behind = Math.max(seen.behind, behind / SEGMENT_BYTES);
    const state = await readStreamState(folder);
    const age = (time: string): number => (Date.parse(now) - Date.parse(time)) / 1000;
    if (state?.received?.time !== undefined) seen.points.push(age(state.received.time));
    const offSite = state?.targets.find(({ target }) => target === 's3')?.reached?.time;
    if (offSite !== undefined) seen.offSite.push(age(offSite));
    seen.bytes = Math.max(seen.bytes, familyMemory(pid));
  }
}
