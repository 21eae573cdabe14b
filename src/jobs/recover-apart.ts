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
  readonly programs: ClientPrograms;
  /** Of fetching and checking the base; of everything after that until the server was open. */
  readonly seconds: { readonly fetch: number; readonly replay: number };
}

export interface ApartOptions {
  readonly target: RecoveryTarget;
  /** A folder that goes with everything in it; the server is made in it. */
  readonly folder: string;
  /** Where all files of WAL of the recovery stay, as PostgreSQL names them; by default they go once they are replayed. */
  readonly keepWalIn?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Of the settings for loading a dump those that help a replay. */
const TUNED = ['shared_buffers', 'maintenance_work_mem', 'dynamic_shared_memory_type'];

/** Recovers to the target in a throw-away server, open for writing, while its WAL is fetched ahead of it. The caller stops it. */
export async function recoverApart(parts: RecoverParts, options: ApartOptions): Promise<RecoveredApart> {
  const { target, folder, keepWalIn, clock, signal } = options;
  const began = clock.monotonic();
  const made: { recovered?: Recovered } = {};
  let fetched = began;
  // Which version it has to be is in the backup.
  const { base } = await planRecovery(parts, { target, into: folder }, signal);
  const major = Number.parseInt(base.manifest.serverVersion, 10);
  const programs = await parts.findServer(major);
  const { settings: tuned } = tuneForLoading(await readMachine());
  const settings = Object.fromEntries(Object.entries(tuned).filter(([name]) => TUNED.includes(name)));
  let server: ThrowAwayServer | undefined;
  try {
    server = await startThrowAwayServer({
      ...{ binDirectory: programs.directory, parentFolder: folder, user: parts.connection.user, settings, signal },
      fill: async (into) => {
        const ahead = keepWalIn === undefined ? {} : { keepIn: keepWalIn };
        const recovered = (made.recovered = await recover(parts, { target, into, apart: true, ahead }, signal));
        fetched = clock.monotonic();
        const { settings: preload, left } = await preloadAgain(recovered.preloaded, programs.directory, major);
        if (left.length > 0) parts.log.info({ libraries: left }, 'the source loads these at its start, and its copy does not');
        return preload;
      },
    });
    const seconds = { fetch: (fetched - began) / 1000, replay: (clock.monotonic() - fetched) / 1000 };
    const recovered = made.recovered!;
    // What the server did not ask for may be damaged all the same.
    if (keepWalIn !== undefined) await recovered.ahead!.whole();
    const known = { ...server.connection, database: parts.connection.database };
    const user = await withClient(known, async (client) => {
      // The role that initdb made: it may do anything.
      const { rows } = await client.query<{ name: string }>('SELECT rolname AS name FROM pg_catalog.pg_roles WHERE oid = 10');
      return rows[0]!.name;
    });
    const reached = await readReached(known);
    return { server, connection: { ...known, user }, recovered, reached, programs, seconds };
  } catch (error) {
    await server?.stop();
    throw made.recovered?.ahead?.failure() ?? error;
  } finally {
    await made.recovered?.ahead?.end();
  }
}
