import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { libpqEnvironment } from '../../src/postgres/connection.ts';
import { runProgram } from '../../src/postgres/run-program.ts';
import { shell } from '../run/measure.ts';
import { dumpFolder, dumpTool, type Tool, type Workshop } from './tool.ts';

/** Backups of the cluster's files: another thing than a dump, for orientation. */
export function physicalBackups(shop: Workshop): Tool[] {
  return [...pgBackRest(shop), ...pgBaseBackup(shop)];
}

function pgBackRest(shop: Workshop): Tool[] {
  const program = shop.find('pgbackrest');
  if (program === undefined) return [];
  return ['gz', 'lz4', 'zst'].map((compression) => {
    const id = `pgbackrest-${compression}`;
    // The repository alone is what it has written.
    const own = join(shop.folder, `${id}.state`);
    const config = join(own, 'pgbackrest.conf');
    const common = [`--config=${config}`, '--stanza=bench'];
    return dumpTool(
      shop,
      {
        ...{ id, name: `pgbackrest backup (${compression})`, kind: 'physical', rounds: shop.orientationRounds },
        command: { file: program, args: [...common, 'backup'], env: {} },
      },
      async () => {
        await mkdir(own, { recursive: true });
        await writeFile(config, pgBackRestConfig(shop, compression, dumpFolder(shop, id), own));
        await runProgram(program, [...common, 'stanza-create']);
      },
    );
  });
}

/** No archive of WAL: only the backup itself is looked at. */
function pgBackRestConfig({ source, workers }: Workshop, compression: string, repository: string, own: string): string {
  const { host, port, user } = source.server.connection;
  return [
    '[global]',
    `repo1-path=${repository}`,
    `compress-type=${compression}`,
    `process-max=${workers}`,
    'start-fast=y',
    'archive-check=n',
    'archive-copy=n',
    ...['lock-path', 'log-path', 'spool-path'].map((name) => `${name}=${own}`),
    'log-level-console=error',
    'log-level-file=off',
    '[bench]',
    `pg1-path=${source.server.dataDirectory}`,
    `pg1-socket-path=${host}`,
    `pg1-port=${port}`,
    `pg1-user=${user}`,
    '',
  ].join('\n');
}

/** Compression by zstd exists since PostgreSQL 15. */
const ZSTD_SINCE = 15;

function pgBaseBackup(shop: Workshop): Tool[] {
  const { programs } = shop.source;
  const program = join(programs.directory, 'pg_basebackup');
  const env = libpqEnvironment(shop.source.at('postgres'));
  const tool = (id: string, name: string, compression: string): Tool =>
    dumpTool(shop, {
      ...{ id, name, kind: 'physical', rounds: shop.orientationRounds },
      command: shell(`'${program}' -c fast -X fetch -Ft --no-sync ${compression} -D '${dumpFolder(shop, id)}'`, env),
    });
  return [
    tool('pg-basebackup', 'pg_basebackup', ''),
    ...(programs.major >= ZSTD_SINCE ? [tool('pg-basebackup-zstd', 'pg_basebackup -Z server-zstd:1', '-Z server-zstd:1')] : []),
  ];
}
