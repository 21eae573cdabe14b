import { execFile } from 'node:child_process';
import { mkdtemp, rm, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemClock } from '../../src/clock.ts';
import { dumpDatabase, type DumpOptions, type DumpParts, type DumpResult } from '../../src/dump/dump.ts';
import { BackupError } from '../../src/errors.ts';
import { libpqEnvironment, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../../src/postgres/programs.ts';
import { readServerFacts } from '../../src/postgres/server-facts.ts';
import { startThrowAwayServer, type ThrowAwayServer, type ThrowAwayServerOptions } from '../../src/postgres/throw-away-server.ts';
import { installedVersions } from './postgres-versions.ts';

/** A real server and the programs of its version. */
export interface TestServer {
  readonly server: ThrowAwayServer;
  readonly programs: ClientPrograms;
  readonly connection: ConnectionOptions;
  /** The server as seen from one of its databases. */
  database(name: string, user?: string): ConnectionOptions;
  /** Runs SQL in a database and returns the rows of the last statement. */
  sql(database: string, text: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** Starts a server of the newest installed version, or of `major`. */
export async function startTestServer(major?: number, options: Partial<ThrowAwayServerOptions> = {}): Promise<TestServer> {
  const version = installedVersions().findLast((candidate) => major === undefined || candidate.major === major);
  if (version === undefined) throw new Error('no PostgreSQL server is installed: npm run setup');
  const server = await startThrowAwayServer({ binDirectory: version.binDirectory, ...options });
  return serverOf(server, version.major, version.binDirectory);
}

export async function serverOf(server: ThrowAwayServer, major: number, binDirectory: string): Promise<TestServer> {
  const programs = await findPrograms({ serverMajor: major, directories: [binDirectory] });
  const { connection } = server;
  const database = (name: string, user = connection.user): ConnectionOptions => ({ ...connection, database: name, user });
  return {
    server,
    programs,
    connection,
    database,
    sql: async (name, text) =>
      await withClient(database(name), async (client) => {
        const results = (await client.query(text)) as unknown as
          { rows: Record<string, unknown>[] } | { rows: Record<string, unknown>[] }[];
        return (Array.isArray(results) ? results.at(-1)! : results).rows;
      }),
    stop: async () => {
      await server.stop();
    },
  };
}

export interface FileDump {
  readonly result: DumpResult;
  /** The dump file; the archive is `<path>.toc`. */
  readonly path: string;
}

/**
 * Dumps into a file of a folder of its own and hands it to `use`; the folder is removed afterwards. With `onRetry` a source
 * that changed meanwhile is dumped once more, after what it returns.
 */
export async function withDump<T>(
  server: TestServer,
  connection: ConnectionOptions,
  options: Partial<DumpOptions> & Pick<Partial<DumpParts>, 'hooks' | 'signal'> & { onRetry?: (error: BackupError) => unknown },
  use: (dump: FileDump) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'dump-test-'));
  const path = join(folder, options.codec === 'zstd' ? 'dump.sql.zst' : 'dump.sql.gz');
  const file = await open(path, 'a');
  const { hooks, onRetry, signal, ...rest } = options;
  try {
    const facts = await withClient(server.connection, readServerFacts);
    const attempt = async (): Promise<DumpResult> =>
      await dumpDatabase(
        {
          connection,
          programs: server.programs,
          server: { version: facts.version, versionNum: facts.versionNumber, standby: facts.standby },
          sink: {
            append: async (bytes) => {
              await file.write(bytes);
            },
          },
          tocPath: `${path}.toc`,
          clock: systemClock,
          signal: signal ?? new AbortController().signal,
          ...(hooks === undefined ? {} : { hooks }),
        },
        { source: 'test', label: 'test', version: '0', codec: 'gzip', level: 1, workers: 2, lockTimeoutMs: 20_000, ...rest },
      );
    // The job begins again in the same way, with a new file.
    const result = await attempt().catch(async (error: unknown) => {
      if (!onRetry || !(error instanceof BackupError) || error.code !== 'SOURCE_CHANGED') throw error;
      await onRetry(error);
      await file.truncate();
      return await attempt();
    });
    return await use({ result, path });
  } finally {
    await file.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Restores a dump with stock tools only, as the documentation says: `gunzip -c FILE | psql -X -v ON_ERROR_STOP=1 DB`. */
export async function restoreWithPsql(server: TestServer, path: string, database: string, template = 'template0'): Promise<void> {
  await server.sql('postgres', `CREATE DATABASE "${database}" TEMPLATE ${template}`);
  await pipeToPsql(server, path, database);
}

/** The same into a database that exists. */
export async function pipeToPsql(server: TestServer, path: string, database: string): Promise<void> {
  const reader = path.endsWith('.zst') ? 'zstd -dc' : 'gunzip -c';
  const command = `set -o pipefail; ${reader} "$FILE" | "$PSQL" -X -q -o /dev/null -v ON_ERROR_STOP=1`;
  const env = {
    ...libpqEnvironment(server.database(database)),
    FILE: path,
    PSQL: server.programs.path('psql'),
    PATH: process.env['PATH']!,
  };
  await promisify(execFile)('bash', ['-c', command], { env, maxBuffer: 64 * 1024 * 1024 });
}
