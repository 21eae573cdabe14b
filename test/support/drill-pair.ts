import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { checkEquality, type EqualityInput, type EqualityResult } from '../../src/drill/equality.ts';
import { checkHealth, type HealthResult } from '../../src/drill/index-health.ts';
import { digestTables } from '../../src/dump/digest-tables.ts';
import { locateRows } from '../../src/jobs/locate-rows.ts';
import type { ConnectionOptions } from '../../src/postgres/connection.ts';
import type { ClientPrograms } from '../../src/postgres/programs.ts';
import { openBackup, type BackupSource } from '../../src/restore/backup-source.ts';
import { restoreDefinitions } from '../../src/restore/restore-definitions.ts';
import { restoreBackup } from '../../src/restore/restore.ts';
import { createMemoryStorage } from '../../src/storage/memory.ts';
import { makeBackup } from './make-backup.ts';
import { quietContext } from './restore-context.ts';

/** A backup of a database with what a drill makes of it: the restored database and the one without rows. */
export interface DrillPair {
  readonly source: BackupSource;
  readonly restored: ConnectionOptions;
  readonly definitions: ConnectionOptions;
  equality(options?: Partial<EqualityInput>): Promise<EqualityResult>;
  health(): Promise<HealthResult>;
}

/** Dumps `database` and restores it on the same server as `<name>_restored`, with `<name>_definitions` beside it. */
export async function makeDrillPair(database: ConnectionOptions, programs: ClientPrograms): Promise<DrillPair> {
  const store = createMemoryStorage({ name: 'store' });
  const connection = { ...database, database: 'postgres' };
  const restored = { ...database, database: `${database.database}_restored` };
  const definitions = { ...database, database: `${database.database}_definitions` };
  const { key } = await makeBackup(database, programs, [store]);
  const source = await openBackup([store], key);
  const temporaryFolder = await mkdtemp(join(tmpdir(), 'drill-pair-'));
  try {
    const input = { source, connection, programs, temporaryFolder };
    await restoreBackup(input, { database: restored.database }, quietContext());
    await restoreDefinitions(input, { database: definitions.database }, quietContext());
  } finally {
    await rm(temporaryFolder, { recursive: true });
  }
  return drillPair(source, programs, restored, definitions);
}

/** The same of databases that exist. */
export function drillPair(
  source: BackupSource,
  programs: ClientPrograms,
  restored: ConnectionOptions,
  definitions: ConnectionOptions,
): DrillPair {
  const { signal } = new AbortController();
  const { manifest } = source;
  return {
    source,
    restored,
    definitions,
    async equality(options = {}) {
      const digests = await digestTables({ connection: restored, tables: manifest.tables, workers: 2, signal });
      const locate = locateRows(source, restored, signal);
      return await checkEquality({
        manifest,
        connection: restored,
        emptyCopy: definitions,
        digests,
        programs,
        locate,
        signal,
        ...options,
      });
    },
    health: async () => await checkHealth({ connection: restored, emptyCopy: definitions, jobs: 2, signal }),
  };
}
