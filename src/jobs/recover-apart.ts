import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { preloadAgain } from '../drill/extensions.ts';
import { withClient, type ConnectionOptions } from '../postgres/connection.ts';
import type { ClientPrograms } from '../postgres/programs.ts';
import { readReached, type Reached } from '../postgres/recovery-end.ts';
import { readMachine, tuneForLoading } from '../postgres/server-tuning.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../postgres/throw-away-server.ts';
import type { RecoveryTarget } from '../wal/choose-window.ts';
import { planRecovery, type RecoverParts } from './plan-recovery.ts';
import { recover, type Recovered } from './recover.ts';

/** A server that was recovered to be looked at, and goes afterwards. */
export interface RecoveredApart {
  readonly server: ThrowAwayServer;
  /** As its superuser. */
  readonly connection: ConnectionOptions;
  readonly recovered: Recovered;
  readonly reached: Reached;
  /** With all files of WAL of the recovery, as PostgreSQL names them. */
  readonly walFolder: string;
  readonly programs: ClientPrograms;
  /** Of fetching and checking; of everything after that until the server was open. */
  readonly seconds: { readonly fetch: number; readonly replay: number };
}

export interface ApartOptions {
  readonly target: RecoveryTarget;
  /** A folder that goes with everything in it; the server is made in it. */
  readonly folder: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Of the settings for loading a dump those that help a replay. */
const TUNED = ['shared_buffers', 'maintenance_work_mem', 'dynamic_shared_memory_type'];

/** Recovers to the target in a throw-away server, open for writing. The caller stops it. */
export async function recoverApart(parts: RecoverParts, options: ApartOptions): Promise<RecoveredApart> {
  const { target, folder, clock, signal } = options;
  const began = clock.monotonic();
  const walFolder = await mkdtemp(join(folder, 'wal-'));
  let recovered: Recovered | undefined;
  let fetched = began;
  // Which version it has to be is in the backup.
  const { base } = await planRecovery(parts, { target, into: folder }, signal);
  const major = Number.parseInt(base.manifest.serverVersion, 10);
  const programs = await parts.findServer(major);
  const { settings: tuned } = tuneForLoading(await readMachine());
  const settings = Object.fromEntries(Object.entries(tuned).filter(([name]) => TUNED.includes(name)));
  const server = await startThrowAwayServer({
    ...{ binDirectory: programs.directory, parentFolder: folder, user: parts.connection.user, settings, signal },
    fill: async (into) => {
      recovered = await recover(parts, { target, into, apart: { walFolder } }, signal);
      fetched = clock.monotonic();
      const { settings: preload, left } = await preloadAgain(recovered.preloaded, programs.directory, major);
      if (left.length > 0) parts.log.info({ libraries: left }, 'the source loads these at its start, and its copy does not');
      return preload;
    },
  });
  const seconds = { fetch: (fetched - began) / 1000, replay: (clock.monotonic() - fetched) / 1000 };
  try {
    const known = { ...server.connection, database: parts.connection.database };
    const user = await withClient(known, async (client) => {
      // The role that initdb made: it may do anything.
      const { rows } = await client.query<{ name: string }>('SELECT rolname AS name FROM pg_catalog.pg_roles WHERE oid = 10');
      return rows[0]!.name;
    });
    const reached = await readReached(known);
    return { server, connection: { ...known, user }, recovered: recovered!, reached, walFolder, programs, seconds };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
