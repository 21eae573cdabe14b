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
import { measureLoad } from './physical/load.ts';
import { addPhysical } from './physical/page.ts';
import { measureRecoveries } from './physical/recovery.ts';
import { buildProgram } from './run/program.ts';

const HELP = `npm run bench:physical -- [OPTION…]

Run it on an otherwise idle machine. With a bucket in the environment, as the program is configured with one (BACKUP_S3_BUCKET, AWS_REGION, …),
the stream goes there, too. Figures go to docs/benchmarks/physical-<SIZE>gb.{json,md}, beside those that are there of the same commit.

  --gb SIZE       about so many gigabytes of database, and of WAL behind the base backup (0.3)
  --only LIST     base, load, recovery (all)
  --rounds N      how often each (3)
  --seconds N     how long the load lasts in each round (60)
  --out DIR       where the figures go; nowhere by default
`;
/** What pgbench makes of a scale of 1. */
const BYTES_OF_SCALE = 15.4e6;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    ...{ gb: { ...text, default: '0.3' }, only: { ...text, default: 'base,load,recovery' }, rounds: { ...text, default: '3' } },
    ...{ seconds: { ...text, default: '60' }, out: text, help: { type: 'boolean', default: false } },
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
  const pgBackRest = findOnPath(searchPath)('pgbackrest');
  if (pgBackRest === undefined) throw new Error('pgbackrest is not installed: there is nothing to compare with');
  const [gb, rounds, seconds] = [values.gb, values.rounds, values.seconds].map(Number) as [number, number, number];
  const folder = await mkdtemp(join(tmpdir(), 'db-backup-bench-'));
  // The server's account enters it.
  await chmod(folder, 0o755);
  try {
    const program = await buildProgram(folder);
    const ground = await openGround({
      programs: await findServerPrograms(searchPath),
      program,
      folder,
      pgBackRest,
      bucket,
      signal,
    });
    try {
      await ground.pgbench(`-i -q -s ${Math.max(1, Math.round((gb * 1e9) / BYTES_OF_SCALE))}`);
      await ground.sql('VACUUM');
      await ground.sql('CHECKPOINT');
      const [size] = await ground.sql<{ n: number }>('SELECT sum(pg_database_size(oid))::float8 AS n FROM pg_database');
      const { file, args, env } = ground.pgBackRest('stanza-create');
      await runProgram(file, args, { env, signal });
      const works = values.only.split(',');
      let figures: PhysicalFigures = {
        ...{ date: systemClock.now().toISOString().slice(0, 10), commit: await readCommit(), gb, baseRawBytes: size!.n },
      };
      if (works.includes('base')) figures = { ...figures, base: await measureBases(ground, rounds, signal) };
      if (works.includes('load')) figures = { ...figures, load: await measureLoad(ground, rounds, seconds, signal) };
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
