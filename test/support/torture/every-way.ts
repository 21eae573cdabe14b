import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { Manifest } from '../../../src/catalog/manifest.ts';
import type { CodecName } from '../../../src/codec/codec.ts';
import { PHASES } from '../../../src/drill/verdict.ts';
import { withClient, type ConnectionOptions } from '../../../src/postgres/connection.ts';
import { openBackup } from '../../../src/restore/backup-source.ts';
import { restoreDefinitions } from '../../../src/restore/restore-definitions.ts';
import { restoreBackup } from '../../../src/restore/restore.ts';
import { verifyBackup } from '../../../src/restore/verify.ts';
import { createDiskStorage, type DiskStorage } from '../../../src/storage/disk.ts';
import { pipeToPsql, startTestServer, type TestServer } from '../dump-to-file.ts';
import { dumpText, plainDump } from '../dump-text.ts';
import { findingsOf, makeDrillGround, verdictsOf } from '../drill-ground.ts';
import { drillPair } from '../drill-pair.ts';
import { expectEqualText } from '../equality.ts';
import { makeBackup } from '../make-backup.ts';
import { installedVersion } from '../postgres-versions.ts';
import { quietContext } from '../restore-context.ts';
import { createEmptyDatabase, restoreScript } from '../restore-plain.ts';
import { expectSameTables } from './same-tables.ts';
import { loadTorture, writingEnvironment } from './load.ts';

export interface Way {
  readonly codec: CodecName;
  readonly workers: number;
}

/**
 * The promise of the project on one version of PostgreSQL: whatever the database holds, and while others write to it, both ways of
 * restoring a backup give what `pg_dump | psql` gives for the same snapshot. With `drill`, a whole drill proves it, too, on a server
 * of its own: one version is enough for what does not depend on it.
 */
export function describeTorture(major: number, ways: readonly Way[], { drill = false } = {}): void {
  const { binDirectory } = installedVersion(major);
  let server: TestServer;
  let source: ConnectionOptions;
  let root: string;
  let storage: DiskStorage;

  beforeAll(async () => {
    server = await startTestServer(major, { initdbArgs: ['--no-locale'] });
    const torture = await loadTorture(server.connection, binDirectory, 'torture', { pgbenchScale: 1 });
    expect(torture.left).toEqual([]);
    source = torture.connection;
    root = await mkdtemp(join(tmpdir(), 'torture-'));
    await mkdir(join(root, 'temporary'));
    storage = createDiskStorage({ name: 'disk', root });
  });
  afterAll(async () => {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  describe.each(ways)(`PostgreSQL ${String(major)}, $codec, $workers worker(s), while pgbench writes`, ({ codec, workers }) => {
    const name = (what: string): string => `${what}_${codec}_${workers}`;
    let key: string;
    let manifest: Manifest;
    let reference: string;

    beforeAll(async () => {
      const writers = startPgbench(binDirectory, source, major);
      try {
        await writers.wrote(0);
        let script = '';
        const hooks = {
          async afterLocks({ snapshot }: { snapshot: string }): Promise<void> {
            script = await plainDump(binDirectory, source, { snapshot });
          },
        };
        ({ key, manifest } = await makeBackup(source, server.programs, [storage], { codec, workers, hooks }));
        await writers.wrote(manifest.tables.find((table) => table.name === 'pgbench_history')!.rows);
        const into = await createEmptyDatabase(server.connection, name('reference'));
        await restoreScript(binDirectory, script, into);
        reference = await dumpText(binDirectory, into);
      } finally {
        await writers.stop();
      }
    });

    test('the backup is complete', () => {
      expect(manifest).toMatchObject({ outcome: 'complete', omitted: [] });
    });

    test('its tables are those that pg_dump would dump', async () => {
      await expectSameTables(server, source, manifest, `${storage.root}/${key}.toc`);
    });

    test('it passes verification', async () => {
      const { programs } = server;
      const result = await verifyBackup({ storage, key, programs, temporaryFolder: join(root, 'temporary') }, quietContext());
      expect(result.checks.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    });

    test('our restore gives what pg_dump | psql gives', async () => {
      const input = {
        source: await openBackup([storage], key),
        connection: server.connection,
        programs: server.programs,
        temporaryFolder: join(root, 'temporary'),
      };
      const result = await restoreBackup(input, { database: name('ours'), loaders: workers }, quietContext());
      expect(result.proof).toBe('checksums');
      expect(result.warnings).toEqual([]);
      expectEqualText(reference, await dumpText(binDirectory, server.database(name('ours'))), 'our restore');
      expect(await databaseProperties(server, name('ours'))).toEqual(await databaseProperties(server, 'torture'));
    });

    // Once for each version: what is compared does not depend on the way.
    if (codec === ways[0]!.codec)
      test('a drill finds our restore equal to the source, and healthy', async () => {
        const source = await openBackup([storage], key);
        const { connection, programs } = server;
        await restoreDefinitions({ source, connection, programs }, { database: name('definitions') }, quietContext());
        const pair = drillPair(source, programs, server.database(name('ours')), server.database(name('definitions')));
        const equality = await pair.equality();
        expect(equality.findings).toEqual([]);
        expect(equality.verdict).toBe('passed');
        expect(equality.tables.every(({ equal, expected, found }) => equal && expected.digest === found?.digest)).toBe(true);
        const health = await pair.health();
        // Indexes and constraints that the source had so, and nothing else.
        expect(health.findings.filter(({ message }) => !message.endsWith('as in the source'))).toEqual([]);
        expect(health.verdict).toBe('passed');
        expect(health.checked.indexes).toBeGreaterThan(100);
        // The extension that looked at them is gone.
        expect((await pair.equality()).findings).toEqual([]);
      });

    if (drill && codec === ways[0]!.codec)
      test('a drill as a whole proves both ways of restoring, on a server that it furnishes itself', async () => {
        const ground = await makeDrillGround([binDirectory]);
        try {
          const parts = { targets: [storage], local: [storage.name], source: 'torture' };
          const drill = await ground.run(parts, { thorough: true });
          const failed = PHASES.flatMap((phase) => (verdictsOf(drill)[phase] === 'passed' ? [] : findingsOf(drill, phase)));
          expect({ ...verdictsOf(drill), failed }).toEqual({
            ...Object.fromEntries(PHASES.map((phase) => [phase, 'passed'])),
            failed: [],
          });
          expect(drill.summary.tables.length).toBeGreaterThan(100);
          expect(await ground.leftovers()).toEqual([]);
        } finally {
          await ground.remove();
        }
      });

    test('the file through psql gives what pg_dump | psql gives', async () => {
      const into = await createEmptyDatabase(server.connection, name('piped'));
      await pipeToPsql(server, storage.location(key), into.database);
      expectEqualText(reference, await dumpText(binDirectory, into), 'the file through psql');
    });
  });
}

interface Writers {
  /** Waits until more than so many transactions are in the history; throws when pgbench has ended. */
  wrote(transactions: number): Promise<void>;
  stop(): Promise<void>;
}

function startPgbench(binDirectory: string, source: ConnectionOptions, major: number): Writers {
  const child = spawn(join(binDirectory, 'pgbench'), ['-n', '-c', '2', '-R', '100', '-T', '3600'], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...writingEnvironment(source, major) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let ended = false;
  const ending = once(child, 'exit').then(() => (ended = true));
  const messages = text(child.stderr);
  return {
    async wrote(transactions) {
      await withClient(source, async (client) => {
        for (;;) {
          const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM public.pgbench_history');
          if (rows[0]!.n > transactions) return;
          if (ended) throw new Error(`pgbench ended: ${await messages}`);
          await sleep(20);
        }
      });
    },
    async stop() {
      child.kill('SIGTERM');
      await ending;
    },
  };
}

/** What `pg_dump` does not say of a database: owner, privileges, settings, comment, encoding and locale. */
async function databaseProperties(server: TestServer, database: string): Promise<unknown> {
  return await server.sql(
    'postgres',
    `SELECT pg_get_userbyid(datdba) AS owner, datacl::text AS acl, pg_encoding_to_char(encoding) AS encoding, datcollate, datctype, datconnlimit,
            shobj_description(d.oid, 'pg_database') AS comment,
            (SELECT json_agg(json_build_array(setrole::regrole::text, ARRAY(SELECT unnest(setconfig) ORDER BY 1)) ORDER BY setrole::regrole::text) FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings
       FROM pg_database d WHERE datname = '${database}'`,
  );
}
