import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from '@jest/globals';

import type { Manifest } from '../../../src/catalog/manifest.ts';
import { libpqEnvironment, withClient, type ConnectionOptions } from '../../../src/postgres/connection.ts';
import { runProgram } from '../../../src/postgres/run-program.ts';
import type { TestServer } from '../dump-to-file.ts';

/** The tables whose rows we copied and those whose rows are in the `.toc` are together exactly the ones that a whole `pg_dump` has. */
export async function expectSameTables(
  server: TestServer,
  source: ConnectionOptions,
  manifest: Manifest,
  toc: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'same-tables-'));
  try {
    const whole = join(folder, 'whole');
    const env = { ...libpqEnvironment(source), PGCLIENTENCODING: 'UTF8' };
    await runProgram(server.programs.path('pg_dump'), ['-Fc', '-Z0', '-f', whole], { env });
    const ours = await oidsOf(source, manifest);
    const rest = await tableData(server, toc);
    expect(ours.filter((oid) => rest.includes(oid))).toEqual([]);
    expect([...ours, ...rest].sort()).toEqual(await tableData(server, whole));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By OID: `pg_restore -l` does not write names in a way that they can be read back. */
async function tableData(server: TestServer, archive: string): Promise<string[]> {
  const parts: Buffer[] = [];
  await runProgram(server.programs.path('pg_restore'), ['-l', archive], { stdout: (chunk) => void parts.push(chunk) });
  const list = Buffer.concat(parts).toString('latin1');
  return Array.from(list.matchAll(/^\d+; \d+ (\d+) TABLE DATA /gm), ([, oid]) => oid!).sort();
}

async function oidsOf(source: ConnectionOptions, manifest: Manifest): Promise<string[]> {
  return await withClient(source, async (client) => {
    const { rows } = await client.query<{ oid: string }>(
      `SELECT c.oid::text FROM unnest($1::text[], $2::text[]) AS t (schema, name)
         JOIN pg_namespace n ON nspname = t.schema JOIN pg_class c ON relnamespace = n.oid AND relname = t.name`,
      [manifest.tables.map(({ schema }) => schema), manifest.tables.map(({ name }) => name)],
    );
    expect(rows).toHaveLength(manifest.tables.length);
    return rows.map(({ oid }) => oid);
  });
}
