import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

import type { BenchResult } from '../../bench/result/result.ts';

const BENCH = fileURLToPath(new URL('../../bench/bench.ts', import.meta.url));

test('the bench dumps, restores and verifies by us and by others, and leaves its results and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-test-'));
  // As root, the server runs as another account, which has to get in.
  await chmod(folder, 0o755);
  try {
    const args = ['--gb', '0.01', '--rounds', '1', '--data', 'mixed', '--folder', folder, '--out', join(folder, 'out')];
    const tools = ['pg-dump-gzip', 'pg-dump-directory', 'limit-zstd', 'ours', 'ours-zstd-without-digest', 'psql', 'zstd-test'];
    await promisify(execFile)(process.execPath, [BENCH, ...args, '--tools', tools.join(',')]);

    expect(await readdir(folder)).toEqual(['out']);
    expect((await readdir(join(folder, 'out'))).sort()).toEqual(['0.01gb.json', '0.01gb.md', '0.01gb.svg', 'README.md']);
    const { data, missing } = JSON.parse(await readFile(join(folder, 'out/0.01gb.json'), 'utf8')) as BenchResult;
    expect(missing.filter((line) => !line.includes('not installed'))).toEqual([]);
    expect(data).toMatchObject([{ name: 'mixed', tables: 4, rows: 92_700 }]);
    const works = Object.fromEntries(data[0]!.works.map((work) => [work.work, work.tools]));
    expect(works['dump']?.map(({ id }) => id)).toEqual([
      'pg-dump-gzip',
      'pg-dump-directory',
      'ours',
      'ours-zstd-without-digest',
      'limit-zstd',
    ]);
    expect(works['restore']?.map(({ id }) => id)).toEqual(['psql', 'ours']);
    expect(works['verify']?.map(({ id }) => id)).toEqual(['zstd-test', 'ours']);
    for (const { id, runs } of Object.values(works).flat()) {
      const [run] = runs;
      expect(runs).toHaveLength(1);
      expect({ id, ...run }).toMatchObject({ seconds: expect.any(Number), clientCpu: expect.any(Number) });
      if (id !== 'zstd-test') {
        expect({ id, server: run!.serverCpu >= 0, bytes: run!.bytes >= 0 }).toEqual({ id, server: true, bytes: true });
      }
    }
    const ours = works['dump']!.find(({ id }) => id === 'ours')!.runs[0]!;
    // The limit copies the same rows: a file of about the same size, and no empty one.
    const limit = works['dump']!.find(({ id }) => id === 'limit-zstd')!.runs[0]!;
    expect(limit.bytes / ours.bytes).toBeGreaterThan(0.5);
    expect(limit.bytes / ours.bytes).toBeLessThan(2);
    // Node alone is larger than that; PostgreSQL's server is not counted.
    expect(ours.treeBytes).toBeGreaterThan(30e6);
    expect(ours.processBytes).toBeGreaterThan(30e6);
    expect(ours.clientCpu).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
