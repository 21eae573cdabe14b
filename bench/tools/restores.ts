import { join } from 'node:path';

import { libpqEnvironment, withClient } from '../../src/postgres/connection.ts';
import { shell } from '../run/measure.ts';
import { countRows, DATABASE, drop, execute, RESTORED } from '../run/source.ts';
import { ourRestores } from './ours.ts';
import { FILES } from './pg-dump.ts';
import { dumpFolder, type Reader, type Tool, type Workshop } from './tool.ts';

/** Ways to bring the dumps back. Each starts from no database, and its rows are counted afterwards. */
export async function restores(shop: Workshop): Promise<Tool[]> {
  const { source, workers, find } = shop;
  const expected = await countRows(source, DATABASE);
  const env = libpqEnvironment(source.at(RESTORED));
  const gunzip = find('gunzip');
  const psql = source.programs.path('psql');
  const script = join(dumpFolder(shop, 'pg-dump-gzip'), FILES.gzip);
  const archive = join(dumpFolder(shop, 'pg-dump-directory'), FILES.directory);
  const theirs: Reader[] = [
    ...(gunzip
      ? [
          {
            ...{ id: 'psql', name: 'gunzip | psql', kind: 'peer' as const, reads: 'pg-dump-gzip' },
            command: shell(`'${gunzip}' -c '${script}' | '${psql}' -X -q -v ON_ERROR_STOP=1 > /dev/null`, env),
          },
        ]
      : []),
    {
      ...{ id: 'pg-restore', name: `pg_restore -j${workers}`, kind: 'peer', reads: 'pg-dump-directory' },
      command: { file: source.programs.path('pg_restore'), args: [`-j${workers}`, '-d', RESTORED, archive], env },
    },
  ];
  return [...theirs, ...ourRestores(shop)].map((tool) => ({
    ...tool,
    async before() {
      await drop(source, RESTORED);
      // Ours makes the database itself.
      if (tool.kind !== 'ours') await execute(source, 'postgres', [`CREATE DATABASE ${RESTORED}`]);
      await execute(source, 'postgres', ['CHECKPOINT']);
    },
    async bytes() {
      const found = await countRows(source, RESTORED);
      for (const [table, rows] of expected) {
        if (found.get(table) === rows) continue;
        throw new Error(`${tool.name} restored ${found.get(table) ?? 'no'} rows of ${table} instead of ${rows}`);
      }
      return await withClient(source.at('postgres'), async (client) => {
        const { rows } = await client.query<{ bytes: number }>('SELECT pg_database_size($1)::float8 AS bytes', [RESTORED]);
        return rows[0]!.bytes;
      });
    },
    after: async () => await drop(source, RESTORED),
  }));
}
