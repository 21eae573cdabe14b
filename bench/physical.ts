// `npm run bench:physical`: base backups, recovery, and the stream of WAL under load, beside pgBackRest and PostgreSQL's own programs.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../src/clock.ts';
import { processEnvironment } from '../src/config.ts';
import { runProgram } from '../src/postgres/run-program.ts';
import { findServerPrograms } from '../scripts/demo/server-programs.ts';
import { findOnPath, readCommit } from './machine.ts';
import { measureBases } from './physical/base.ts';
import type { PhysicalFigures } from './physical/figures.ts';
import { openGround } from './physical/ground.ts';
import { LOAD_WAYS, measureLoad } from './physical/load.ts';
import { addPhysical } from './physical/page.ts';
import { measureRecoveries } from './physical/recovery.ts';
import { chosen, count } from './options.ts';
import { buildProgram } from './run/program.ts';

const HELP = `npm run bench:physical -- [OPTION…]

Run it on an otherwise idle machine. The stream off-site goes to the bucket in the environment, as the program is configured with one
(BACKUP_S3_BUCKET, AWS_REGION, …); without one to a real S3 server on this machine, if it is unpacked (test/support/s3-server.sh install).
Figures go to docs/benchmarks/physical-<SIZE>gb.{json,md}, beside those that are there of the same commit.

  --gb SIZE       about so many gigabytes of database, and of WAL behind the base backup (0.3)
  --only LIST     base, load, recovery (all); load alone needs no pgbackrest
  --rounds N      how often each (3)
  --seconds N     how long the load lasts in each round (60); below 300 each round begins behind a checkpoint
  --streams LIST  what streams while the load runs: none, receiver, disk, off-site (all)
  --out DIR       where the figures go; nowhere by default
`;
/** What pgbench makes of a scale of 1. */
const BYTES_OF_SCALE = 15.4e6;

const WORKS = ['base', 'load', 'recovery'] as const;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    ...{ gb: { ...text, default: '0.3' }, only: text, rounds: { ...text, default: '3' } },
    ...{ seconds: { ...text, default: '60' }, streams: text, out: text, help: { type: 'boolean', default: false } },
  },
});
if (values.help) process.stdout.write(HELP);
else await bench();

async function bench(): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort(new Error(`stopped by ${name}`)));
  const { signal } = interrupt;
  const searchPath = processEnvironment()['PATH'] ?? '';
  const environment = Object.entries(processEnvironment());
  const bucket = Object.fromEntries(
    environment.flatMap(([name, value]) => (/^(BACKUP_S3_|AWS_)/.test(name) && value !== undefined ? [[name, value]] : [])),
  );
  const [gb, rounds, seconds] = [Number(values.gb), count('rounds', values.rounds), count('seconds', values.seconds)];
  const works = chosen('only', values.only, WORKS);
  const ways = chosen('streams', values.streams, LOAD_WAYS);
  const folder = await mkdtemp(join(tmpdir(), 'db-backup-bench-'));
  // The server's account enters it.
  await chmod(folder, 0o755);
  try {
    const program = await buildProgram(folder);
    const ground = await openGround({
      programs: await findServerPrograms(searchPath),
      program,
      folder,
      pgBackRest: findOnPath(searchPath)('pgbackrest'),
      bucket,
      signal,
    });
    try {
      await ground.pgbench(`-i -q -s ${Math.max(1, Math.round((gb * 1e9) / BYTES_OF_SCALE))}`);
      await ground.sql('VACUUM');
      await ground.sql('CHECKPOINT');
      const [size] = await ground.sql<{ n: number }>('SELECT sum(pg_database_size(oid))::float8 AS n FROM pg_database');
      if (works.some((work) => work !== 'load')) {
        const { file, args, env } = ground.pgBackRest('stanza-create');
        await runProgram(file, args, { env, signal });
      }
      let figures: PhysicalFigures = {
        ...{ date: systemClock.now().toISOString().slice(0, 10), commit: await readCommit(), gb, baseRawBytes: size!.n },
      };
      if (works.includes('base')) figures = { ...figures, base: await measureBases(ground, rounds, signal) };
      if (works.includes('load')) {
        figures = { ...figures, load: await measureLoad(ground, { ways, rounds, seconds, signal, say }) };
      }
      if (works.includes('recovery')) {
        const { figures: recovery, walBytes } = await measureRecoveries(ground, { rounds, walBytes: gb * 1e9, signal });
        figures = { ...figures, recovery, walBytes };
      }
      process.stdout.write(await addPhysical(values.out, figures));
    } finally {
      await ground.server.stop();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** While it runs; the page alone goes to standard output. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
