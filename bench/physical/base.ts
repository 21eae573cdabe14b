import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { bytesUnder } from '../run/in-turn.ts';
import { measure, shell, type Command } from '../run/measure.ts';
import { median, type Figure } from './figures.ts';
import { ZSTD_LEVEL, type Ground } from './ground.ts';

interface Way {
  readonly name: string;
  readonly command: Command;
  /** What it has written, in bytes. */
  readonly size: () => Promise<number>;
}

/** Base backups in turn, all with the WAL that they need inside. */
export async function measureBases(ground: Ground, rounds: number, signal: AbortSignal): Promise<Figure[]> {
  const { folder, programs, server } = ground;
  const dropped = join(folder, 'dropped.bytes');
  const pgBaseBackup = join(programs.directory, 'pg_basebackup');
  const ways: Way[] = [
    {
      name: 'create-backup --physical',
      command: ground.ours('create-backup', '--physical'),
      size: () => bytesUnder(join(folder, 'ours/base')),
    },
    {
      name: 'pgbackrest backup (zst, process-max=2)',
      command: ground.pgBackRest('--type=full backup'),
      size: () => bytesUnder(join(folder, 'pgbackrest/repository/backup/bench')),
    },
    {
      name: 'pg_basebackup | zstd -T2, thrown away',
      command: shell(
        `'${pgBaseBackup}' -c fast -X fetch -Ft -D - | zstd -q -${ZSTD_LEVEL} -T2 | wc -c > '${dropped}'`,
        libpqEnvironment(server.connection),
      ),
      size: async () => await readFile(dropped, 'utf8').then(Number),
    },
  ];
  const runs = ways.map(() => ({ seconds: [] as number[], tree: 0, bytes: 0 }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, { command, size }] of ways.entries()) {
      await rm(dropped, { force: true });
      const before = await size().catch(() => 0);
      const { seconds, treeBytes } = await measure(command, ground.postmaster, signal);
      const run = runs[at]!;
      run.seconds.push(seconds);
      run.tree = Math.max(run.tree, treeBytes);
      run.bytes = (await size()) - before;
    }
  }
  return ways.map(({ name }, at) => {
    const { seconds, tree, bytes } = runs[at]!;
    return { name, seconds: median(seconds), rounds: seconds, bytes, treeBytes: tree };
  });
}
