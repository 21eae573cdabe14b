import { join } from 'node:path';

import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { shell } from '../run/measure.ts';
import { DATABASE } from '../run/source.ts';
import { dumpFolder, dumpTool, type Tool, type Workshop } from './tool.ts';

/** What people run today. The files' names are known to the restores. */
export const FILES = { gzip: 'dump.sql.gz', zstd: 'dump.sql.zst', directory: 'dump', custom: 'dump.custom' } as const;

export function pgDumps(shop: Workshop): Tool[] {
  const { source, workers, find } = shop;
  const env = libpqEnvironment(source.at(DATABASE));
  const pgDump = `'${source.programs.path('pg_dump')}'`;
  const tool = (id: string, name: string, script: (output: string) => string, rounds?: number): Tool =>
    dumpTool(shop, {
      ...{ id, name, kind: 'peer' },
      ...(rounds !== undefined && { rounds }),
      command: shell(script(dumpFolder(shop, id)), env),
    });
  const to = (output: string, file: string): string => `'${join(output, file)}'`;
  const [gzip, zstd] = [find('gzip'), find('zstd')];
  const jobs = `-j${workers}`;
  return [
    ...(gzip ? [tool('pg-dump-gzip', 'pg_dump | gzip', (output) => `${pgDump} | '${gzip}' > ${to(output, FILES.gzip)}`)] : []),
    ...(zstd
      ? [tool('pg-dump-zstd', 'pg_dump | zstd -T0', (output) => `${pgDump} | '${zstd}' -q -T0 > ${to(output, FILES.zstd)}`)]
      : []),
    tool('pg-dump-directory', `pg_dump -Fd ${jobs}`, (output) => `${pgDump} -Fd ${jobs} -f ${to(output, FILES.directory)}`),
    tool('pg-dump-directory-1', `pg_dump -Fd ${jobs} -Z1`, (output) => `${pgDump} -Fd ${jobs} -Z1 -f ${to(output, 'dump')}`),
    tool('pg-dump-custom', 'pg_dump -Fc', (output) => `${pgDump} -Fc -f ${to(output, FILES.custom)}`, shop.orientationRounds),
  ];
}
