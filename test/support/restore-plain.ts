import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { libpqEnvironment, quoteIdentifier, withClient, type ConnectionOptions } from '../../src/postgres/connection.ts';

/** An empty database to restore into, with the encoding of the one that was dumped. */
export async function createEmptyDatabase(
  server: ConnectionOptions,
  name: string,
  encoding = 'UTF8',
): Promise<ConnectionOptions> {
  await withClient(server, (client) =>
    client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ENCODING '${encoding}'`),
  );
  return { ...server, database: name };
}

/** The script of a plain `pg_dump`, as {@link plainDump} returns it, through psql. */
export async function restoreScript(binDirectory: string, script: string, into: ConnectionOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'restore-plain-'));
  try {
    const file = join(folder, 'dump.sql');
    await writeFile(file, script, 'latin1');
    await shell('"$2" -X -q -v ON_ERROR_STOP=1 -o /dev/null <"$1"', [file, join(binDirectory, 'psql')], into);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function shell(command: string, args: readonly string[], connection: ConnectionOptions): Promise<void> {
  const child = spawn('/bin/bash', ['-c', command, 'restore', ...args], {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', ...libpqEnvironment(connection) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const [stderr, code] = await Promise.all([text(child.stderr), ended]);
  if (code !== 0) throw new Error(`a restore into ${connection.database} failed:\n${stderr.slice(-4000)}`);
}
