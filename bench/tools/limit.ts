import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { planCopies } from '../../src/dump/plan.ts';
import { readNaming, readTables } from '../../src/dump/tables.ts';
import { libpqEnvironment, withClient } from '../../src/postgres/connection.ts';
import { shell } from '../run/measure.ts';
import { DATABASE } from '../run/source.ts';
import { dumpFolder, dumpTool, GZIP_LEVEL, ZSTD_LEVEL, type Tool, type Workshop } from './tool.ts';

/**
 * The limit: the COPY statements of our dump, as many at once, by `psql`, each into one C compressor. No snapshot, no digest,
 * no schema, no checksums: what the server and the compressor cost whatever reads the rows.
 */
export async function limits(shop: Workshop): Promise<Tool[]> {
  const script = await copyScript(shop);
  const [zstd, pigz, gzip] = ['zstd', 'pigz', 'gzip'].map((name) => shop.find(name));
  const tool = (id: string, name: string, filter: string | undefined, rounds?: number): Tool => {
    const output = dumpFolder(shop, id);
    return dumpTool(
      shop,
      { ...{ id, name, kind: 'limit', command: lanes(shop, output, filter) }, ...(rounds !== undefined && { rounds }) },
      async () => {
        await mkdir(join(output, 'taken'));
        await writeFile(join(output, 'copy.sql'), script);
      },
    );
  };
  return [
    ...(zstd ? [tool('limit-zstd', `COPY | zstd -${ZSTD_LEVEL}`, `'${zstd}' -q -${ZSTD_LEVEL}`)] : []),
    ...(pigz ? [tool('limit-pigz', `COPY | pigz -p1 -${GZIP_LEVEL}`, `'${pigz}' -p1 -${GZIP_LEVEL}`)] : []),
    ...(gzip ? [tool('limit-gzip', `COPY | gzip -${GZIP_LEVEL}`, `'${gzip}' -${GZIP_LEVEL}`, shop.orientationRounds)] : []),
    tool('limit-nothing', 'COPY > /dev/null', undefined),
  ];
}

/** One `psql` a worker, side by side, all with the same script; fails if one of them does. */
function lanes(shop: Workshop, output: string, filter: string | undefined): Tool['command'] {
  const psql = `'${shop.source.programs.path('psql')}' -X -q -v ON_ERROR_STOP=1 -f '${join(output, 'copy.sql')}'`;
  const starts = Array.from({ length: shop.workers }, (_, lane) => {
    const rest = filter === undefined ? '> /dev/null' : `| ${filter} > '${join(output, `${lane}.out`)}'`;
    return `{ ${psql} ${rest}; } & lanes+=($!)`;
  });
  const env = { ...libpqEnvironment(shop.source.at(DATABASE)), TAKEN: join(output, 'taken') };
  return shell(`${starts.join('\n')}\nfor lane in "\${lanes[@]}"; do wait "$lane"; done`, env);
}

/**
 * The batches of our dump's plan in its order. Whichever lane makes a batch's folder first copies it, so that no lane waits
 * while another has work left, as our threads do not.
 */
async function copyScript({ source, workers }: Workshop): Promise<string> {
  return await withClient(source.at(DATABASE), async (client) => {
    const { encoding, namesInAnyLanguage } = await readNaming(client);
    const { rows } = await client.query<{ version: string }>(`SELECT current_setting('server_version_num') AS version`);
    const tables = await readTables(client, namesInAnyLanguage);
    const batches = planCopies(tables, { workers, serverVersion: Number(rows[0]!.version), encoding });
    const settings = `SET extra_float_digits = 3; SET synchronize_seqscans = off; SET max_parallel_workers_per_gather = 0;\n`;
    const blocks = batches.map((units, at) =>
      [
        `\\set mine \`mkdir "$TAKEN/${at}" 2>/dev/null && echo yes || echo no\``,
        '\\if :mine',
        ...units.map(({ sql }) => `${sql};`),
        '\\endif\n',
      ].join('\n'),
    );
    return settings + blocks.join('');
  });
}
