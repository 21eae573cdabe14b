import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { openBackup } from '../../../src/restore/backup-source.ts';
import { restoreBackup } from '../../../src/restore/restore.ts';
import { createDiskStorage, type DiskStorage } from '../../../src/storage/disk.ts';
import { pipeToPsql, startTestServer, type TestServer } from '../../support/dump-to-file.ts';
import { dumpText, plainDump } from '../../support/dump-text.ts';
import { expectEqualText } from '../../support/equality.ts';
import { makeBackup, type MadeBackup } from '../../support/make-backup.ts';
import { quietContext } from '../../support/restore-context.ts';
import { createEmptyDatabase, restoreScript } from '../../support/restore-plain.ts';

let server: TestServer;
let root: string;
let storage: DiskStorage;

beforeAll(async () => {
  server = await startTestServer(17, { initdbArgs: ['--no-locale'] });
});
afterAll(async () => {
  await server.stop();
});
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'extremes-'));
  storage = createDiskStorage({ name: 'disk', root });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function restore({ key }: MadeBackup, database: string, loaders: number): Promise<void> {
  const source = await openBackup([storage], key);
  const { connection, programs } = server;
  await restoreBackup({ source, connection, programs, temporaryFolder: root }, { database, loaders }, quietContext());
}

describe('one value of 300 MB', () => {
  const facts = `SELECT id, length(t) AS length, md5(t) AS md5, length(b) AS bytes, md5(b) AS b FROM large ORDER BY id`;

  test('survives both ways of restoring, among small rows', async () => {
    await createEmptyDatabase(server.connection, 'large');
    // With a line end every few bytes, so that it looks like many rows to whoever counts them; and bytes, twice as long as text.
    await server.sql(
      'large',
      `CREATE TABLE large (id int PRIMARY KEY, t text, b bytea);
       INSERT INTO large SELECT i, 'small ' || i FROM generate_series(1, 1000) i;
       INSERT INTO large VALUES (2000, repeat(E'\\\\ three\\thundred\\n\\\\.\\nmillion characters', 9375000));
       INSERT INTO large VALUES (2001, NULL, decode(repeat('00ff5c0a', 6250000), 'hex'));
       INSERT INTO large SELECT i, 'small ' || i FROM generate_series(3000, 4000) i`,
    );
    const backup = await makeBackup(server.database('large'), server.programs, [storage], { workers: 2 });
    const expected = await server.sql('large', facts);
    expect(expected.find(({ id }) => id === 2000)!['length']).toBeGreaterThanOrEqual(300_000_000);

    await restore(backup, 'large_ours', 2);
    expect(await server.sql('large_ours', facts)).toEqual(expected);
    await createEmptyDatabase(server.connection, 'large_piped');
    await pipeToPsql(server, storage.location(backup.key), 'large_piped');
    expect(await server.sql('large_piped', facts)).toEqual(expected);
  });
});

describe('5,000 tables', () => {
  test('survive both ways of restoring', async () => {
    await createEmptyDatabase(server.connection, 'many');
    for (let from = 1; from <= 5000; from += 500) {
      await server.sql(
        'many',
        `DO $$ BEGIN FOR i IN ${from} .. ${from + 499} LOOP
           EXECUTE format('CREATE TABLE %I (id int, t text DEFAULT %L)', 'table number ' || i, 'x' || i);
           IF i % 20 = 0 THEN EXECUTE format('ALTER TABLE %I ADD s serial', 'table number ' || i); END IF;
           IF i % 5 <> 0 THEN EXECUTE format('INSERT INTO %I (id, t) SELECT n, ''row '' || n FROM generate_series(1, %s) n', 'table number ' || i, i % 7); END IF;
           IF i % 10 = 0 THEN EXECUTE format('ALTER TABLE %I ADD PRIMARY KEY (id)', 'table number ' || i); END IF;
         END LOOP; END $$`,
      );
    }
    const many = server.database('many');
    const backup = await makeBackup(many, server.programs, [storage], { codec: 'zstd', workers: 4 });
    expect(backup.manifest.tables).toHaveLength(5000);
    const reference = await createEmptyDatabase(server.connection, 'many_reference');
    await restoreScript(server.programs.directory, await plainDump(server.programs.directory, many), reference);
    const expected = await dumpText(server.programs.directory, reference);

    await restore(backup, 'many_ours', 4);
    expectEqualText(expected, await dumpText(server.programs.directory, server.database('many_ours')), 'our restore');
    const piped = await createEmptyDatabase(server.connection, 'many_piped');
    await pipeToPsql(server, storage.location(backup.key), piped.database);
    expectEqualText(expected, await dumpText(server.programs.directory, piped), 'the file through psql');
  });
});
