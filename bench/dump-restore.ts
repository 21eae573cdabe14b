// The same dump and restore by us and by the tools that a user would pick instead, in one run, on a throw-away server.
//
//   npm run bench -- [--gb 1.2] [--rounds 3] [--workers 2] [--folder DIR] [--only dump|restore] [--out FILE]
//
// Whole processes are timed one after another, the contenders in turn within each round; the table has medians.
// Run it on an otherwise idle machine. The output is Markdown.
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { libpqEnvironment, quoteIdentifier, withClient } from '../src/postgres/connection.ts';
import { findPrograms, type ClientPrograms } from '../src/postgres/programs.ts';
import { runProgram } from '../src/postgres/run-program.ts';
import { startThrowAwayServer, type ThrowAwayServer } from '../src/postgres/throw-away-server.ts';
import { measure, median, type Measurement } from './support/measure.ts';
import { countRows, makeSampleData } from './support/sample-data.ts';

interface Contender {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  /** Where a dump goes. */
  readonly output?: string;
}

const CLI = new URL('../src/cli.ts', import.meta.url).pathname;
const DATABASE = 'bench';
const RESTORED = 'bench_restored';

const { values } = parseArgs({
  options: {
    gb: { type: 'string', default: '1.2' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '2' },
    folder: { type: 'string', default: tmpdir() },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});

const folder = await mkdtemp(join(values.folder, 'db-backup-bench-'));
let server: ThrowAwayServer | undefined;
try {
  const programs = await findPrograms({ serverMajor: 12 });
  server = await startThrowAwayServer({
    binDirectory: programs.directory,
    parentFolder: values.folder,
    user: 'bench',
    settings: { shared_buffers: '512MB', maintenance_work_mem: '256MB' },
  });
  await run(server, programs);
} finally {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
}

async function run(source: ThrowAwayServer, programs: ClientPrograms): Promise<void> {
  const admin = source.connection;
  const database = { ...admin, database: DATABASE };
  await withClient(admin, (client) => client.query(`CREATE DATABASE ${quoteIdentifier(DATABASE)}`));
  say(`making about ${values.gb} GB of rows …`);
  await makeSampleData(database, Number(values.gb));
  const rows = await countRows(database);
  const script = await measureScript(libpqEnvironment(database), programs);

  const dumps = dumpContenders(libpqEnvironment(database), programs);
  const lines = [
    `${availableParallelism()} cores, ${values.workers} workers, Node ${process.versions.node}, PostgreSQL ${programs.version}; ` +
      `${(script / 1e9).toFixed(2)} GB of SQL (${rows}); medians of ${values.rounds} rounds.`,
    '',
  ];
  const dumped = await inTurn(values.only === 'restore' ? 1 : Number(values.rounds), dumps, async ({ output }) => {
    await rm(output!, { recursive: true, force: true });
    await mkdir(output!, { recursive: true });
  });
  if (values.only !== 'restore') lines.push(...(await table('dump', dumps, dumped)), '');

  if (values.only !== 'dump') {
    const restores = restoreContenders(libpqEnvironment({ ...admin, database: RESTORED }), dumps, programs);
    const restored = await inTurn(
      Number(values.rounds),
      restores,
      async ({ name }) => {
        await withClient(admin, async (client) => {
          await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(RESTORED)}`);
          // Ours makes the database itself.
          if (!name.startsWith('db-backup')) await client.query(`CREATE DATABASE ${quoteIdentifier(RESTORED)}`);
          await client.query('CHECKPOINT');
        });
      },
      async ({ name }) => {
        const found = await countRows({ ...admin, database: RESTORED });
        if (found !== rows) throw new Error(`${name} restored ${found} instead of ${rows}`);
      },
    );
    lines.push(...(await table('restore', restores, restored)));
  }
  const text = `${lines.join('\n')}\n`;
  process.stdout.write(text);
  if (values.out !== undefined) await writeFile(values.out, text);
}

function ours(env: Record<string, string>, output: string, settings: Record<string, string>): Record<string, string> {
  return {
    POSTGRES_HOST: env['PGHOST']!,
    POSTGRES_PORT: env['PGPORT']!,
    POSTGRES_USER: env['PGUSER']!,
    POSTGRES_DB: DATABASE,
    BACKUP_DIR: output,
    BACKUP_WORKERS: values.workers,
    BACKUP_RESTORE_WORKERS: values.workers,
    ...settings,
  };
}

/** A pipeline fails if any part of it does. */
function shell(script: string): { file: string; args: string[] } {
  return { file: 'bash', args: ['-ec', `set -o pipefail; ${script}`] };
}

function dumpContenders(env: Record<string, string>, programs: ClientPrograms): Contender[] {
  const output = (name: string): string => join(folder, name);
  const pgDump = programs.path('pg_dump');
  const node = process.execPath;
  const theirs = (name: string, script: string): Contender => ({
    name,
    ...shell(script),
    env,
    output: output(name.replace(/\W+/g, '-')),
  });
  const into = (name: string, file: string): string => join(output(name.replace(/\W+/g, '-')), file);
  return [
    theirs('pg_dump | gzip', `'${pgDump}' | gzip > '${into('pg_dump | gzip', 'dump.sql.gz')}'`),
    theirs('pg_dump | zstd -1', `'${pgDump}' | zstd -q -1 > '${into('pg_dump | zstd -1', 'dump.sql.zst')}'`),
    theirs('pg_dump -Fd -j2', `'${pgDump}' -Fd -j${values.workers} -f '${into('pg_dump -Fd -j2', 'dump')}'`),
    ...(['gzip', 'zstd'] as const).map((codec) => ({
      name: `db-backup ${codec}`,
      file: node,
      args: [CLI, 'create-backup'],
      env: ours(env, output(`ours-${codec}`), { BACKUP_CODEC: codec }),
      output: output(`ours-${codec}`),
    })),
  ];
}

function restoreContenders(env: Record<string, string>, dumps: readonly Contender[], programs: ClientPrograms): Contender[] {
  const outputOf = (name: string): string => dumps.find((dump) => dump.name === name)!.output!;
  const psql = programs.path('psql');
  return [
    {
      name: 'gunzip | psql',
      ...shell(
        `gunzip -c '${outputOf('pg_dump | gzip')}/dump.sql.gz' | '${psql}' -X -q -v ON_ERROR_STOP=1 > '${folder}/psql.out'`,
      ),
      env,
    },
    {
      name: 'pg_restore -j2',
      file: programs.path('pg_restore'),
      args: [`-j${values.workers}`, '-d', RESTORED, join(outputOf('pg_dump -Fd -j2'), 'dump')],
      env,
    },
    ...(['gzip', 'zstd'] as const).map((codec) => ({
      name: `db-backup ${codec}`,
      file: process.execPath,
      args: [CLI, 'restore', 'latest', RESTORED],
      env: ours(env, outputOf(`db-backup ${codec}`), {}),
    })),
  ];
}

/** Bytes of the SQL script that `pg_dump` writes. */
async function measureScript(env: Record<string, string>, programs: ClientPrograms): Promise<number> {
  let bytes = 0;
  await runProgram(programs.path('pg_dump'), [], { env, stdout: (chunk) => void (bytes += chunk.length) });
  return bytes;
}

async function inTurn(
  rounds: number,
  contenders: readonly Contender[],
  before: (contender: Contender) => Promise<void>,
  after?: (contender: Contender) => Promise<void>,
): Promise<Map<Contender, Measurement[]>> {
  const results = new Map<Contender, Measurement[]>(contenders.map((contender) => [contender, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of contenders) {
      await before(contender);
      const measured = await measure(contender.file, contender.args, contender.env);
      say(`round ${round}: ${contender.name}: ${measured.seconds.toFixed(1)} s`);
      await after?.(contender);
      results.get(contender)!.push(measured);
    }
  }
  return results;
}

/** The first contender is what the others are compared with. */
async function table(what: string, contenders: readonly Contender[], results: Map<Contender, Measurement[]>): Promise<string[]> {
  const secondsOf = (contender: Contender): number => median(results.get(contender)!.map(({ seconds }) => seconds));
  const base = secondsOf(contenders[0]!);
  const lines = [
    `| ${what} | seconds | times as fast | MB of files | peak MB of the first process | peak MB of all its processes |`,
    '| --- | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const contender of contenders) {
    const runs = results.get(contender)!;
    const size = contender.output === undefined ? '' : ((await bytesUnder(contender.output)) / 1e6).toFixed(0);
    const peak = Math.max(...runs.map(({ peakMegabytes }) => peakMegabytes)).toFixed(0);
    const tree = Math.max(...runs.map(({ peakTreeMegabytes }) => peakTreeMegabytes)).toFixed(0);
    const seconds = secondsOf(contender);
    lines.push(
      `| \`${contender.name.replaceAll('|', '\\|')}\` | ${seconds.toFixed(1)} | ${(base / seconds).toFixed(2)} | ${size} | ${peak} | ${tree} |`,
    );
  }
  return lines;
}

async function bytesUnder(path: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
