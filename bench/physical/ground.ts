import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { libpqEnvironment, withClient } from '../../src/postgres/connection.ts';
import type { ClientPrograms } from '../../src/postgres/programs.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { serverAccount, type Account } from '../../src/postgres/server-account.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../../src/postgres/throw-away-server.ts';
import { shell, type Command } from '../run/measure.ts';
import type { Program } from '../run/program.ts';

export const ZSTD_LEVEL = 1;

/** A server with durability on, whose WAL is archived by pgBackRest, by us, or by nobody. */
export interface Ground {
  readonly server: ThrowAwayServer;
  readonly programs: ClientPrograms;
  readonly program: Program;
  readonly folder: string;
  readonly postmaster: number;
  readonly account: Account | undefined;
  /** Of the stream under load alone: the others go to disk. */
  readonly bucket: Readonly<Record<string, string>>;
  /** The settings of the program under measurement. */
  readonly env: Readonly<Record<string, string>>;
  sql<Row>(text: string): Promise<Row[]>;
  /** The program with these arguments. */
  ours(...args: string[]): Command;
  /** pgBackRest as the server's account, which archives with it. Throws where it is not installed. */
  pgBackRest(args: string): Command;
  /** Absent: WAL is thrown away. */
  archiveBy(command: string | undefined): Promise<void>;
  pgbench(args: string): Promise<string>;
}

const SETTINGS = {
  ...{ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', wal_level: 'replica', max_wal_senders: '6' },
  ...{ archive_mode: 'on', archive_command: '/bin/true', shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'on' },
  ...{ checkpoint_timeout: '5min' },
};

export interface GroundOptions {
  readonly programs: ClientPrograms;
  readonly program: Program;
  readonly folder: string;
  /** Absent: it is not installed. */
  readonly pgBackRest: string | undefined;
  /** A bucket for the program, as it is configured with one. */
  readonly bucket: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export async function openGround({ programs, program, folder, pgBackRest, bucket, signal }: GroundOptions): Promise<Ground> {
  const account = await serverAccount();
  const server = await startThrowAwayServer({
    ...{ binDirectory: programs.directory, parentFolder: folder, user: 'bench', settings: SETTINGS, signal },
  });
  const { connection, dataDirectory } = server;
  const own = join(folder, 'pgbackrest');
  await mkdir(join(own, 'repository'), { recursive: true });
  const config = join(own, 'pgbackrest.conf');
  await writeFile(config, pgBackRestConfig({ own, dataDirectory, ...connection }));
  if (account) for (const path of [own, join(own, 'repository')]) await chown(path, account.uid, account.gid);
  const asAccount = account ? `setpriv --reuid ${account.uid} --regid ${account.gid} --clear-groups ` : '';
  const sql = async <Row>(text: string): Promise<Row[]> =>
    await withClient(connection, async (client) => {
      const results = (await client.query(text)) as unknown as { rows: Row[] } | { rows: Row[] }[];
      return (Array.isArray(results) ? results.at(-1)! : results).rows;
    });
  const [row] = await sql<{ pid: string }>(`SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid`);
  const env = {
    ...{ POSTGRES_HOST: connection.host, POSTGRES_PORT: String(connection.port), POSTGRES_USER: connection.user },
    ...{ POSTGRES_DB: 'postgres', BACKUP_DIR: join(folder, 'ours'), BACKUP_WORK_DIR: folder, BACKUP_CODEC: 'zstd' },
    ...{ BACKUP_PROGRAM_DIRECTORIES: programs.directory, PITR_INTERVAL: '2' },
  };
  await mkdir(env.BACKUP_DIR);
  // Recovered servers have it from here.
  for (const name of ['shared_buffers', 'max_wal_size'] as const) await sql(`ALTER SYSTEM SET ${name} = '${SETTINGS[name]}'`);
  const ground: Ground = {
    ...{ server, programs, program, folder, bucket, account, env, sql, postmaster: Number(row!.pid) },
    ours: (...args) => ({ file: program.node, args: [program.cli, ...args], env }),
    pgBackRest(args) {
      if (pgBackRest === undefined) throw new Error('pgbackrest is not installed: there is nothing to compare with');
      return shell(`${asAccount}${pgBackRest} --config=${config} --stanza=bench ${args}`, {});
    },
    async archiveBy(command) {
      await sql(`ALTER SYSTEM SET archive_command = '${(command ?? '/bin/true').replaceAll("'", "''")}'`);
      await sql('SELECT pg_reload_conf()');
      await sleep(200);
    },
    async pgbench(args) {
      let output = '';
      await runProgram(join(programs.directory, 'pgbench'), args.split(' '), {
        env: libpqEnvironment(connection),
        stdout: (chunk) => void (output += chunk.toString()),
        signal,
      });
      return output;
    },
  };
  return ground;
}

function pgBackRestConfig(place: {
  readonly own: string;
  readonly dataDirectory: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
}): string {
  const { own, dataDirectory, host, port, user } = place;
  return [
    ...['[global]', `repo1-path=${own}/repository`, 'compress-type=zst', `compress-level=${ZSTD_LEVEL}`, 'process-max=2'],
    ...['start-fast=y', 'archive-async=y', 'archive-check=n', 'archive-get-queue-max=256MiB'],
    ...['lock-path', 'log-path', 'spool-path'].map((name) => `${name}=${own}`),
    ...['log-level-console=error', 'log-level-file=off'],
    ...['[bench]', `pg1-path=${dataDirectory}`, `pg1-socket-path=${host}`, `pg1-port=${port}`, `pg1-user=${user}`, ''],
  ].join('\n');
}
