import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientPrograms } from '../postgres/programs.ts';
import { runProgram } from '../postgres/run-program.ts';

/** A part of what comes after the rows. */
export interface PostDataStep {
  /** A file with the entries of the archive, for `pg_restore --use-list`. */
  readonly list: string;
  /** Whether several of them may be at work at once. */
  readonly parallel: boolean;
}

/** As `pg_restore --list` writes it: `7809; 0 0 INDEX ATTACH public orders_2026_pkey postgres`. */
const ENTRY = /^(\d+); \d+ \d+ (INDEX ATTACH|INDEX|CONSTRAINT)?/;

/**
 * The steps in which what comes after the rows is restored when the archive has indexes of partitioned tables; undefined when it has none.
 * `ALTER INDEX … ATTACH PARTITION` of the last partition locks the indexes above it, from below, while another one for the same index locks
 * them from above: `pg_restore -j` runs both at once, and the server ends one for a deadlock. So they run one after the other, after the
 * indexes and before all else: foreign keys need them. The lists are written into `folder`.
 */
export async function attachAlone(
  programs: ClientPrograms,
  archive: string,
  folder: string,
  signal: AbortSignal,
): Promise<readonly PostDataStep[] | undefined> {
  const parts: Buffer[] = [];
  await runProgram(programs.path('pg_restore'), ['--list', '--section=post-data', archive], {
    signal,
    stdout: (chunk) => void parts.push(chunk),
  });
  const steps = { indexes: [] as string[], attach: [] as string[], rest: [] as string[] };
  for (const line of Buffer.concat(parts).toString('latin1').split('\n')) {
    const [, id, kind] = ENTRY.exec(line) ?? [];
    if (id === undefined) continue;
    steps[kind === 'INDEX ATTACH' ? 'attach' : kind === undefined ? 'rest' : 'indexes'].push(`${id};\n`);
  }
  if (steps.attach.length === 0) return undefined;
  return await Promise.all(
    Object.entries(steps).map(async ([name, entries]) => {
      const list = join(folder, `${name}.list`);
      await writeFile(list, entries.join(''), { mode: 0o600 });
      return { list, parallel: name !== 'attach' };
    }),
  );
}
