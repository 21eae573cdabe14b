import type { Manifest } from '../../src/catalog/manifest.ts';
import { labelOf } from '../../src/catalog/names.ts';

const SHA = 'ab'.repeat(32);

/** A manifest as small as can be: one table of 3 rows in a file of 60 bytes, made at the given time. */
export function sampleManifest(changes: Partial<Manifest> = {}, started = new Date('2026-01-02T03:04:05Z')): Manifest {
  const label = labelOf('shop', started);
  return {
    formatVersion: 1,
    label,
    source: 'shop',
    outcome: 'complete',
    omitted: [],
    warnings: [],
    database: {
      name: 'shop',
      encoding: 'UTF8',
      localeProvider: 'libc',
      collate: 'C.UTF-8',
      ctype: 'C.UTF-8',
      owner: 'keeper',
      tablespace: 'pg_default',
      connectionLimit: -1,
      isTemplate: false,
      settings: [],
    },
    server: { version: '17.5', versionNum: 170005, standby: false },
    programs: { dbBackup: '0.1.0', pgDump: '17.5' },
    snapshot: { time: started.toISOString(), lsn: '0/1' },
    timing: { startedAt: started.toISOString(), finishedAt: started.toISOString(), dumpSeconds: 1 },
    codec: { name: 'gzip', level: 1 },
    file: { name: `${label}.sql.gz`, bytes: 60, rawBytes: 90, sha256: SHA },
    side: {
      toc: { name: `${label}.sql.gz.toc`, bytes: 5, sha256: SHA },
      globals: { name: `${label}.sql.gz.globals.gz`, bytes: 6, sha256: SHA },
    },
    requires: { roles: ['keeper'], tablespaces: [], extensions: [] },
    tables: [{ schema: 'public', name: 'orders', columns: ['id'], rows: 3, bytes: 6, digest: '0'.repeat(32) }],
    sequences: [],
    largeObjects: { count: 0 },
    members: [
      { kind: 'head', offset: 0, length: 20, rawLength: 30, rows: 0, sha256: SHA },
      { kind: 'chunk', table: 0, offset: 20, length: 20, rawLength: 30, rows: 3, sha256: SHA },
      { kind: 'tail', offset: 40, length: 20, rawLength: 30, rows: 0, sha256: SHA },
    ],
    copies: [],
    ...changes,
  };
}
